"""The load run as a user starts it: Locust brings up the stack by itself and tells percentiles."""

from __future__ import annotations

import re
import subprocess
import sys

ROW = re.compile(
    r"^(?P<name>(GET|POST) \S+(?: \S+)?|Aggregated)\s+(?P<count>\d+)\s+(?P<failed>\d+)\s+(\d+)\s+(\d+)\s+(\d+)$"
)
ENDPOINTS = 10


def test_it_tells_percentiles_for_every_endpoint_and_no_failure(platform_file):
    root = platform_file.parent.parent
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary"]
    done = subprocess.run(
        [*command, "-t", "4s", "-u", "24", "-r", "24"], cwd=root, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.partition("P99 ms\n")[2]
    rows = {found["name"].strip(): found for line in table.splitlines() if (found := ROW.match(line))}
    assert len(rows) == ENDPOINTS + 1, sorted(rows)
    assert int(rows["Aggregated"]["count"]) > 100
    assert {found["failed"] for found in rows.values()} == {"0"}
