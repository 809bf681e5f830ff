"""The platform's mixed workload through the gateway.

`make load`, or `locust -f loadtests/locustfile.py --headless -t 10s -u 16`: without `-H URL` it starts the embedded
stack by itself and stops it at the end. HARNESS_PLATFORM and HARNESS_ENV choose another platform file or environment.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import gevent
import jwt
from locust import FastHttpUser, between, events, task
from locust.env import Environment
from locust.runners import WorkerRunner

from harness import processes
from harness.model import Platform, load_platform

ROOT = Path(__file__).resolve().parent.parent
PLATFORM_FILE = Path(os.environ.get("HARNESS_PLATFORM", ROOT / "stubs" / "platform.yaml"))
ENVIRONMENT = os.environ.get("HARNESS_ENV", "dev")

platform: Platform = load_platform(PLATFORM_FILE, ENVIRONMENT)
_stack: list[subprocess.Popen[str]] = []


@events.init.add_listener
def start_stack(environment: Environment, **_: Any) -> None:
    """Without a host, start the embedded stack; a distributed run's workers are told theirs with -H."""
    if environment.host or isinstance(environment.runner, WorkerRunner):
        return
    log = processes.temporary_directory("load") / "up.log"
    command = [sys.executable, "-m", "harness", "up", "--json", "--name", f"load-{os.getpid()}"]
    process = processes.spawn([*command, "--platform", PLATFORM_FILE, "--env", ENVIRONMENT], log=log, pipes=True)
    _stack.append(process)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"the stack did not start:\n{processes.last_lines(log)}")
    environment.host = json.loads(line)["gateway"]["http"]


@events.quit.add_listener
def stop_stack(**_: Any) -> None:
    """End what was started here."""
    for process in _stack:
        processes.stop(process, grace=10)


def bearer(consumer: str) -> dict[str, str]:
    """Headers with a token of a declared consumer, good for this run."""
    declared = platform.security.jwt[consumer]
    claims = {"key": declared.key, "exp": 4_102_444_800}  # 2100-01-01
    return {"Authorization": f"Bearer {jwt.encode(claims, declared.signing_key, declared.algorithm)}"}


class Analyst(FastHttpUser):
    """Looks at reports, asks a query now and then, exports one."""

    weight = 5
    wait_time = between(0.05, 0.2)

    def on_start(self) -> None:
        self.headers = bearer("bi-user")

    @task(10)
    def report(self) -> None:
        id = f"r-sales-{random.randint(1, 5000)}-3"
        self.client.get(f"/bi-analysis/v1/reports/{id}", headers=self.headers, name="GET bi-analysis/reports/{id}")

    @task(4)
    def query(self) -> None:
        body = {"dataset": "sales", "rows": 1000, "latency_ms": random.choice([5, 10, 40])}
        self.client.post("/bi-analysis/v1/queries", json=body, headers=self.headers, name="POST bi-analysis/queries")

    @task(1)
    def export(self) -> None:
        path = "/bi-analysis/v1/reports/r-sales-1000-3/export.csv?rows=2000"
        self.client.get(path, headers=self.headers, name="GET bi-analysis/export.csv")


class Employee(FastHttpUser):
    """Logs in, looks up colleagues, chats."""

    weight = 4
    wait_time = between(0.05, 0.2)

    def on_start(self) -> None:
        body = {"username": "alice", "password": "alice-password"}
        answer = self.client.post("/bi-basic/v1/auth/login", json=body, name="POST bi-basic/login")
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    @task(6)
    def user(self) -> None:
        self.client.get("/bi-basic/v1/users/u-1001", headers=self.headers, name="GET bi-basic/users/{id}")

    @task(2)
    def who(self) -> None:
        self.client.get("/bi-basic/v1/whoami", headers=self.headers, name="GET bi-basic/whoami")

    @task(1)
    def chat(self) -> None:
        body = {"message": "how were sales last week", "token_ms": 2}
        self.client.post("/bi-chat/v1/chat", json=body, headers=self.headers, name="POST bi-chat/chat (SSE)")


class Connector(FastHttpUser):
    """An ERP's or a shop's server with its API key."""

    weight = 3
    wait_time = between(0.02, 0.1)

    @task(3)
    def orders(self) -> None:
        headers = {"apikey": platform.security.api_keys["erp-jushuitan"].key}
        self.client.get("/bi-api-jushuitan/v1/orders", headers=headers, name="GET bi-api-jushuitan/orders")

    @task(1)
    def inventory(self) -> None:
        headers = {"apikey": platform.security.api_keys["erp-jushuitan"].key}
        self.client.get("/bi-api-jushuitan/v1/inventory", headers=headers, name="GET bi-api-jushuitan/inventory")

    @task(2)
    def products(self) -> None:
        headers = {"apikey": platform.security.api_keys["shop-leke"].key}
        self.client.get("/bi-api-leke/v1/products", headers=headers, name="GET bi-api-leke/products")


@events.quitting.add_listener
def print_percentiles(environment: Environment, **_: Any) -> None:
    """P50, P95 and P99 of every end-point, from Locust's own samples (rounded by it to two digits above 100 ms)."""
    entries = sorted(environment.stats.entries.values(), key=lambda entry: entry.name)
    print(f"\n{'end-point':<36} {'requests':>9} {'failed':>7} {'P50 ms':>7} {'P95 ms':>7} {'P99 ms':>7}")
    for entry in [*entries, environment.stats.total]:
        shares = [entry.get_response_time_percentile(share) or 0 for share in (0.5, 0.95, 0.99)]
        figures = " ".join(f"{value:>7.0f}" for value in shares)
        print(f"{entry.name:<36} {entry.num_requests:>9} {entry.num_failures:>7} {figures}")
    gevent.sleep(0)
