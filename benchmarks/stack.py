"""How long the sample platform takes to be ready, to be reset between tests, and to be gone.

`python benchmarks/stack.py [--times 5] [--resets 200]`; the reference beside it in the same run is the start of a bare
Python that imports the stand-ins' SDK, for on a noisy machine only the ratio says something.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from harness.running import state_file
from harness.stack import Stack

PLATFORM = Path(__file__).resolve().parent.parent / "stubs" / "platform.yaml"
NAME = "benchmark"


def cold_start() -> tuple[float, float, dict[str, float]]:
    """Seconds until `harness up --json` printed, until it was gone after SIGINT, and what it says of its steps."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "harness", "up", "--json", "--name", NAME, "--platform", str(PLATFORM)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    up = time.perf_counter() - began
    timings = json.loads(state_file(NAME).read_text())["timings"]
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait()
    process.stdout.close()
    return up, time.perf_counter() - began, timings


def reference() -> float:
    """Seconds of a bare Python that imports what a replica needs."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import stubs.warm"], check=True)
    return time.perf_counter() - began


def resets(count: int) -> list[float]:
    """Milliseconds of each of `count` resets, a route and a configuration changed before every other one."""
    found = []
    with Stack.start(PLATFORM) as stack:
        for number in range(count):
            if number % 2:
                stack.apisix.patch("routes", "bi-basic", {"desc": str(number)})
                stack.nacos.publish("bench", str(number))
            began = time.perf_counter()
            stack.reset()
            found.append((time.perf_counter() - began) * 1000)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--resets", type=int, default=200)
    given = parser.parse_args()
    starts = [(*cold_start(), reference()) for _ in range(given.times)]
    ups, downs, steps, references = zip(*starts, strict=True)
    print(f"harness up --json   best {min(ups):.2f} s, median {statistics.median(ups):.2f} s of {len(ups)}")
    print(f"  steps of the best {steps[ups.index(min(ups))]}")
    print(f"down after SIGINT   best {min(downs):.2f} s, median {statistics.median(downs):.2f} s")
    print(f"import stubs.warm   best {min(references):.2f} s, median {statistics.median(references):.2f} s")
    times = resets(given.resets)
    shares = statistics.quantiles(times, n=100)
    print(f"reset               p50 {shares[49]:.1f} ms, p99 {shares[98]:.1f} ms of {len(times)} resets")


if __name__ == "__main__":
    main()
