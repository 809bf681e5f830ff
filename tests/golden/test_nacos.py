"""What real Nacos servers answered to our own requests, replayed against the emulator, all of it on every run.

`nacos_differs.json` lists the answers that can't be equal, by reason; one that has become equal must leave the list,
unless its reason says that it is so at times.
Recorded by `record_nacos.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nacos_player import Target, play
from nacos_requests import PLANS
from nacos_requests.auth import ADMIN

from harness.emulators.nacos import NacosServer

HERE = Path(__file__).resolve().parent
CREDENTIALS = f"{ADMIN['username']}:{ADMIN['password']}"
OPEN: dict[str, Any] = {"console_port": 0}
GUARDED: dict[str, Any] = {**OPEN, "auth": CREDENTIALS, "server_identity": "golden-key:golden-value"}
#: How the emulator is set up as the recorded server was.
SETTINGS: dict[str, dict[str, Any]] = {
    "2.5.1": {**OPEN, "version": "2.5.1"},
    "2.5.1-auth": {**GUARDED, "version": "2.5.1"},
    "3.0.3": OPEN,
    "3.0.3-auth": GUARDED,
    "3.0.3-shipped": {**OPEN, "version": "3.0.3"},
}


def _recordings(plan: str) -> dict[str, list[dict[str, Any]]]:
    files = sorted((HERE / "nacos" / plan).glob("*.json"))
    return {name: steps for file in files for name, steps in json.loads(file.read_text()).items()}


RECORDED = {plan: _recordings(plan) for plan in PLANS}
CASES = [(plan, case) for plan, cases in PLANS.items() for case in cases]
#: `plan case number` → why the answer to this step differs.
DIFFERS = {
    place: reason
    for reason, places in json.loads((HERE / "nacos_differs.json").read_text()).items()
    for place in places
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], NacosServer]]:
    """Emulators set up as the recorded servers were, started once."""
    running: dict[str, NacosServer] = {}

    def serve(plan: str) -> NacosServer:
        if plan not in running:
            running[plan] = NacosServer(**SETTINGS[plan])
            running[plan].start()
        running[plan].reset()
        return running[plan]

    yield serve
    for server in running.values():
        server.stop()


@pytest.mark.parametrize(("plan", "case"), CASES, ids=[f"{plan} {case.name}" for plan, case in CASES])
def test_the_answers_are_equal(plan: str, case: Any, servers: Callable[[str], NacosServer]) -> None:
    server = servers(plan)
    assert server.console_port is not None
    answers = play(case, Target(server.port, server.console_port))
    told = []
    for number, (recorded, answer) in enumerate(zip(RECORDED[plan][case.name], answers, strict=True)):
        place = f"{plan} {case.name} {number}"
        if recorded["answer"] == answer and not DIFFERS.get(place, "at times").startswith("at times"):
            told.append(f"{place} is equal now: take it off nacos_differs.json")
        elif recorded["answer"] != answer and place not in DIFFERS:
            told.append(_told(place, recorded, answer))
    assert not told, "\n".join(told)


def _told(place: str, recorded: dict[str, Any], answer: Any) -> str:
    asked = recorded["request"]
    lines = [f"{place}: {asked['method']} {asked['target'][:200]} {str(asked.get('body', ''))[:200]}"]
    lines += [f"  real     {json.dumps(recorded['answer'], ensure_ascii=False)[:1500]}"]
    lines += [f"  emulator {json.dumps(answer, ensure_ascii=False)[:1500]}"]
    return "\n".join(lines)


@pytest.mark.parametrize("plan", PLANS)
def test_what_was_recorded_is_what_is_asked(plan: str) -> None:
    asked = {case.name: [json.loads(json.dumps(step.to_json())) for step in case.steps] for case in PLANS[plan]}
    assert {name: [one["request"] for one in steps] for name, steps in RECORDED[plan].items()} == asked


def test_what_is_listed_exists() -> None:
    places = {f"{plan} {case.name} {number}" for plan, case in CASES for number in range(len(case.steps))}
    assert DIFFERS.keys() <= places
