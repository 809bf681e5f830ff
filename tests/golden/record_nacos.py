"""Records what a real Nacos answers to our own requests: `python tests/golden/record_nacos.py 3.0.3 127.0.0.1:8848`.

The first argument names the set-up (a key of `nacos_requests.PLANS`), the second where such a server listens; its
console is on the port after `--console` (default: the main port + 100). It needs a server that was started for this
with an empty store: what the cases make they remove, but history and identifiers stay.
`--only PART` records the cases whose name has this part anew and keeps the others; `--twice` plays each case a second
time and tells what was not answered alike.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from nacos_player import Target, play  # noqa: E402
from nacos_requests import PLANS  # noqa: E402
from nacos_requests.steps import Case  # noqa: E402

#: Seconds after each change: a real server shows a configuration after its dump and names by events.
SETTLE = 0.7


def file_of(plan: str, case: Case) -> Path:
    """Cases whose names begin alike share a file."""
    return HERE / "nacos" / plan / f"{case.name.partition('/')[0]}.json"


def record(plan: str, target: Target, only: str, twice: bool) -> None:
    """Play the plan's cases and store the answers."""
    for case in PLANS[plan]:
        if only not in case.name:
            continue
        answers = play(case, target)
        if twice and (again := play(case, target)) != answers:
            unlike = [n for n, (one, two) in enumerate(zip(answers, again, strict=True)) if one != two]
            print(f"{case.name}: not answered alike: {unlike}")
        _store(file_of(plan, case), case, answers)
        print(case.name, len(answers), flush=True)


def _store(file: Path, case: Case, answers: list[Any]) -> None:
    held = json.loads(file.read_text()) if file.exists() else {}
    steps = zip(case.steps, answers, strict=True)
    held[case.name] = [{"request": step.to_json(), "answer": answer} for step, answer in steps]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dict(sorted(held.items())), indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Parse and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plan", choices=PLANS)
    parser.add_argument("address")
    parser.add_argument("--console", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--twice", action="store_true")
    given = parser.parse_args()
    port = int(given.address.rpartition(":")[2])
    record(given.plan, Target(port, given.console or port + 100, SETTLE), given.only, given.twice)


if __name__ == "__main__":
    main()
