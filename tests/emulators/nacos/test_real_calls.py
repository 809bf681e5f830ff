"""Every HTTP call of servers 2.5.1 and 3.0.3 is served, or answered 501 and listed in the README.

`real_calls/` has their calls; `real_calls/walk.py` lists them anew from the sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

import harness.emulators.nacos
from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.http.routes import Route
from harness.emulators.nacos.http.unsupported import CONSOLE_UNSUPPORTED, UNSUPPORTED
from harness.emulators.nacos.http_v3 import CONSOLE_ROUTES
from harness.emulators.nacos.node import ROUTES

HERE = Path(__file__).parent / "real_calls"
CALLS = {
    version: [tuple(line.split()) for line in (HERE / f"{version}.txt").read_text().splitlines()]
    for version in ("2.5.1", "3.0.3")
}
README = (Path(harness.emulators.nacos.__file__).parent / "README.md").read_text()
REFUSED = [*((line, False) for line in UNSUPPORTED), *((line, True) for line in CONSOLE_UNSUPPORTED)]


def _is_served(method: str, path: str, chosen_by: str = "") -> bool:
    """Whether a route takes it; `search` has two values that one route tells apart itself."""
    routes: tuple[Route, ...] = CONSOLE_ROUTES if path.startswith("/v3/console/") else ROUTES
    name, _, value = chosen_by.partition("=")
    fitting = [route for route in routes if route.method == method and _shape(route.path) == _shape(path)]
    return any(not route.when or route.when in ({}, {name: value}) for route in fitting)


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize("version", CALLS)
def test_every_call_is_served_or_refused(version: str) -> None:
    assert len(CALLS[version]) > 180
    assert [" ".join(call) for call in CALLS[version] if not _is_served(*call)] == []


def test_nothing_is_refused_that_no_server_has() -> None:
    real = {call[:2] for calls in CALLS.values() for call in calls}
    assert [line for line, _ in REFUSED if line[:2] not in real] == []


def test_every_refusal_is_listed() -> None:
    lines = [f"`{method} {path}` | {why}" for (method, path, why), _ in REFUSED]
    assert [line for line in lines if line not in README] == []


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of the main port and of the console's."""
    with (
        NacosServer(console_port=0) as nacos,
        httpx.Client(base_url=f"{nacos.http_url}/nacos", trust_env=False) as main,
        httpx.Client(base_url=f"http://127.0.0.1:{nacos.console_port}", trust_env=False) as console,
    ):
        yield main, console


def test_what_is_refused_says_what_it_is_and_why(ports: tuple[httpx.Client, httpx.Client]) -> None:
    for (method, path, why), on_console in REFUSED:
        answer = ports[on_console].request(method, re.sub(r"\{[^}]*\}", "x", path))
        assert answer.status_code == 501, f"{method} {path}"
        told = {"code": 40001, "message": "API function disabled", "data": f"{method} {path} is not emulated: {why}"}
        assert answer.json() == told


def test_users_are_at_two_places(http: httpx.Client) -> None:
    user = {"username": "two", "password": "places"}
    assert http.post("/v1/auth", params=user).json()["data"] == "create user ok!"
    assert http.get("/v1/auth/search", params={"username": "tw"}).json() == ["two"]
    assert http.delete("/v1/auth/users", params={"username": "two"}).json()["data"] == "delete user ok!"
    assert http.get("/v1/auth/users/search", params={"username": "tw"}).json() == []


@pytest.mark.nacos_3
def test_both_sides_of_a_change(http: httpx.Client) -> None:
    key = {"dataId": f"d-{uuid4().hex[:8]}", "group": "G", "namespaceId": "public"}
    for content in ("one", "two"):
        http.post("/v2/cs/config", params={**key, "content": content})
    http.delete("/v2/cs/config", params=key)
    rows = http.get("/v2/cs/history/list", params=key).json()["data"]["pageItems"]
    details = [
        http.get("/v2/cs/history/detail", params={**key, "nid": row["id"]}).json()["data"] for row in reversed(rows)
    ]
    sides = [(one["opType"], one.get("originalContent"), one.get("updatedContent")) for one in details]
    assert sides == [("I", "", "one"), ("U", "one", "two"), ("D", "two", None)]
    other = http.get("/v2/cs/history/detail", params={**key, "dataId": "other", "nid": rows[0]["id"]})
    assert (other.status_code, other.json()["code"]) == (403, 10001)
    none = http.get("/v2/cs/history/detail", params={**key, "nid": "999999"})
    assert (none.status_code, none.json()["data"]) == (200, None)  # as its neighbours were recorded
