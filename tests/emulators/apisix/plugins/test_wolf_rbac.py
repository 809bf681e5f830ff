"""wolf-rbac: permissions as the wolf server gives them, and its API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.wolf_rbac import WolfRbac

USER = {"id": 100, "username": "admin", "nickname": "The Boss"}


def wolf(status: int = 200, **body: Any) -> Response:
    return Response(status, json.dumps(body).encode())


@pytest.fixture(autouse=True)
def consumer(scope: Any) -> None:
    scope.add_consumer(WolfRbac, "wolf", {"appid": "app", "server": "http://wolf.test"})


def test_who_may_passes_and_is_told(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = wolf(data={"userInfo": USER})
    ctx = request_of("/a b", headers={"Authorization": "V1#app#tok", "X-Username": "forged"})
    assert run(build(WolfRbac).rewrite(ctx)) is None
    asked = scope.fetched[0]
    query = "appID=app&resName=%2Fa%20b&action=GET&clientIP=127.0.0.1"
    assert asked.url == f"http://wolf.test/wolf/rbac/access_check?{query}"
    assert ("x-rbac-token", "tok") in asked.headers
    for told in (ctx.headers, ctx.response):
        assert [told.get(name) for name in ("x-userid", "x-username", "x-nickname")] == ["100", "admin", "The%20Boss"]
    assert ctx.consumer.name == "wolf"


def test_who_may_not_is_refused(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = wolf(401, reason="no permission", data={"userInfo": USER})
    verdict = run(build(WolfRbac).rewrite(request_of("/?rbac_token=V1%23app%23tok")))
    assert verdict == Exit(401, {"username": "admin", "nickname": "The Boss", "message": "no permission"})


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Missing rbac token in request"),
        ({"x-rbac-token": "nope"}, "invalid rbac token: parse failed"),
        ({"Cookie": "x-rbac-token=V1#other#t"}, "Invalid appid in rbac token"),
    ],
)
def test_tokens_that_say_nothing(build: Any, request_of: Any, run: Any, headers: dict[str, str], message: str) -> None:
    assert run(build(WolfRbac).rewrite(request_of("/", headers=headers))) == Exit(401, {"message": message})


def test_a_failing_server_is_asked_three_times(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = wolf(500)
    verdict = run(build(WolfRbac).rewrite(request_of("/", headers={"x-rbac-token": "V1#app#tok"})))
    assert verdict == Exit(500, {"message": "request to wolf-server failed, status:500"})
    assert len(scope.fetched) == 3


def call(scope: Any, method: str, what: str, **more: Any) -> tuple[int, Any]:
    path = f"/apisix/plugin/wolf-rbac/{what}"
    headers = Headers.of(more.get("headers", {}).items())
    request = Request(method, path, path, "", headers, more.get("body", b""))
    answer: Any = WolfRbac.public_api(scope)[method, path](request)
    response = asyncio.run(answer)
    return response.status, json.loads(response.body)


def test_login(scope: Any) -> None:
    scope.answer = wolf(ok=True, data={"token": "tok", "userInfo": USER})
    form = b"appid=app&username=admin&password=p"
    assert call(scope, "POST", "login", body=form) == (200, {"rbac_token": "V1#app#tok", "user_info": USER})
    assert json.loads(scope.fetched[0].body) == {"appid": "app", "username": "admin", "password": "p"}
    as_json = {"headers": {"Content-Type": "application/json"}}
    assert call(scope, "POST", "login", body=b"{", **as_json) == (400, {"message": "invalid request"})
    assert call(scope, "POST", "login", body=b"{}", **as_json) == (400, {"message": "appid is missing"})
    assert call(scope, "POST", "login", body=b"appid=other") == (400, {"message": "appid not found"})


def test_user_info_and_password(scope: Any) -> None:
    caller = {"headers": {"x-rbac-token": "V1#app#tok"}}
    scope.answer = wolf(ok=True, data={"userInfo": USER})
    assert call(scope, "GET", "user_info", **caller) == (200, {"user_info": USER})
    assert call(scope, "PUT", "change_pwd", **caller) == (200, {"message": "success to change password"})
    assert call(scope, "GET", "user_info") == (401, {"message": "Missing rbac token in request"})


@pytest.mark.parametrize(
    ("answer", "status"), [(wolf(500), 500), (wolf(ok=False, reason="x"), 200), (ConnectionError("x"), 500)]
)
def test_a_server_that_says_no(scope: Any, answer: Any, status: int) -> None:
    scope.answer = answer
    told = call(scope, "GET", "user_info", headers={"x-rbac-token": "V1#app#tok"})
    assert told == (status, {"message": "request to wolf-server failed!"})
