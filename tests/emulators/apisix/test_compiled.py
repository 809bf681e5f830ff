"""Plans follow their configuration: rules that come later, filters that look into the body."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from harness.emulators.apisix import ApisixServer
from harness.wait import until


@pytest.fixture(scope="module")
def gateway() -> Iterator[ApisixServer]:
    with ApisixServer(https=None, admin_key="k") as server:
        yield server


@pytest.fixture
def put(gateway: ApisixServer) -> Callable[[str, dict[str, object]], None]:
    def write(path: str, value: dict[str, object]) -> None:
        url = f"{gateway.admin_url}/apisix/admin/{path}"
        answer = httpx.put(url, json=value, headers={"X-API-KEY": "k"})
        assert answer.status_code in (200, 201), answer.text

    return write


def mocking(status: int, *filters: list[str]) -> dict[str, object]:
    meta: dict[str, object] = {"_meta": {"filter": list(filters)}} if filters else {}
    return {"mocking": {"response_status": status, "response_example": "x", **meta}}


def test_a_global_rule_reaches_routes_that_have_served(gateway: ApisixServer, put: Callable[..., None]) -> None:
    put("routes/1", {"uri": "/served", "plugins": mocking(201)})
    url = f"{gateway.http_url}/served"
    until(lambda: httpx.get(url).status_code == 201, awaited="the route to answer so", timeout=5)
    put("global_rules/1", {"plugins": {"uri-blocker": {"block_rules": ["served"], "rejected_code": 418}}})
    until(lambda: httpx.get(url).status_code == 418, awaited="the route to answer so", timeout=5)
    key = {"X-API-KEY": "k"}
    httpx.delete(f"{gateway.admin_url}/apisix/admin/global_rules/1", headers=key)
    until(lambda: httpx.get(url).status_code == 201, awaited="the route to answer so", timeout=5)


def test_a_filter_may_look_into_the_body(gateway: ApisixServer, put: Callable[..., None]) -> None:
    put("routes/2", {"uri": "/body", "plugins": mocking(202, ["post_arg_key", "==", "abc"])})
    url = f"{gateway.http_url}/body"
    until(
        lambda: httpx.post(url, data={"key": "other"}).status_code == 503, awaited="the route to answer so", timeout=5
    )
    assert httpx.post(url, data={"key": "abc"}).status_code == 202


def test_444_is_no_answer(gateway: ApisixServer, put: Callable[..., None]) -> None:
    block = {"uri-blocker": {"block_rules": ["secret"], "rejected_code": 444}}
    put("routes/3", {"uri": "/silent", "plugins": {**block, **mocking(201)}})
    url = f"{gateway.http_url}/silent"
    until(lambda: httpx.get(url).status_code == 201, awaited="the route to answer so", timeout=5)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url + "?secret")
    assert gateway.journal(1)[0]["response"]["status"] == 444
