"""dingtalk-auth: codes, the application's token, the session's cookie."""

from __future__ import annotations

import base64
import json

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.dingtalk_auth import DingtalkAuth

CONF = {
    "app_key": "key",
    "app_secret": "app-secret",
    "secret": "12345678",
    "redirect_uri": "https://login.test",
    "access_token_url": "http://ding.test/token",
    "userinfo_url": "http://ding.test/user",
}
USER = {"userid": "jack", "name": "杰克"}
LOG_IN = Exit(302, None, (("Location", "https://login.test"),))


@pytest.fixture
def ding(scope):
    """The provider: what it answers about users and tokens can be changed."""
    answers = {"token": {"accessToken": "tok"}, "user": {"errcode": 0, "result": USER}}

    def answer(request):
        kind = request.url.removeprefix("http://ding.test/").partition("?")[0]
        held = answers[kind]
        return held if isinstance(held, Response) else Response(200, json.dumps(held).encode(), [])

    scope.answer = answer
    return answers


def visited(plugin, run, ctx):
    """(the verdict, the cookie's pair) of a request."""
    verdict = run(plugin.rewrite(ctx))
    plugin.header_filter(ctx)
    cookie = ctx.response.get("set-cookie")
    return verdict, cookie and cookie.partition(";")[0]


@pytest.mark.parametrize("given", [{"target": "/?code=c1"}, {"target": "/", "headers": {"X-DingTalk-Code": "c1"}}])
def test_a_code_is_exchanged_once(given, ding, build, run, request_of, scope):
    plugin = build(DingtalkAuth, CONF)
    ctx = request_of(**given)
    verdict, cookie = visited(plugin, run, ctx)
    assert (verdict, cookie.partition("=")[0]) == (None, "dingtalk_session")
    assert json.loads(base64.b64decode(ctx.headers.get("x-userinfo"))) == USER
    token, user = scope.fetched
    assert json.loads(token.body) == {"appKey": "key", "appSecret": "app-secret"}
    assert (user.url, json.loads(user.body)) == ("http://ding.test/user?access_token=tok", {"code": "c1"})
    again = request_of("/", headers={"Cookie": cookie, "X-Userinfo": "forged"})
    assert visited(plugin, run, again) == (None, None)
    assert json.loads(base64.b64decode(again.headers.get("x-userinfo"))) == USER
    assert len(scope.fetched) == 2


def test_without_a_code_the_client_is_sent_to_log_in(ding, build, run, request_of, scope):
    plugin = build(DingtalkAuth, {**CONF, "cookie_expires_in": 60})
    assert visited(plugin, run, request_of("/")) == (LOG_IN, None)
    _, cookie = visited(plugin, run, request_of("/?code=c"))
    scope.clock.advance(61)
    assert visited(plugin, run, request_of("/", headers={"Cookie": cookie}))[0] == LOG_IN


def test_a_session_sealed_with_an_older_secret(ding, build, run, request_of):
    _, cookie = visited(build(DingtalkAuth, CONF), run, request_of("/?code=c"))
    newer = {**CONF, "secret": "new-secret"}
    asks = request_of("/", headers={"Cookie": cookie})
    assert visited(build(DingtalkAuth, newer), run, asks)[0] == LOG_IN
    kept = build(DingtalkAuth, {**newer, "secret_fallbacks": ["12345678"], "set_userinfo_header": False})
    asks = request_of("/", headers={"Cookie": cookie, "X-Userinfo": "forged"})
    assert visited(kept, run, asks) == (None, None)
    assert asks.headers.get("x-userinfo") is None


def test_the_token_is_asked_for_again_when_it_is_old(ding, build, run, request_of, scope):
    plugin = build(DingtalkAuth, CONF)
    for wait in (0, 10, 7000):
        scope.clock.advance(wait)
        visited(plugin, run, request_of("/?code=c"))
    assert [fetched.url.count("token_") or "tok" for fetched in scope.fetched if "/token" in fetched.url] == ["tok"] * 2


@pytest.mark.parametrize(
    ("kind", "answer", "status", "message"),
    [
        ("token", Response(500, b"", []), 500, "Failed to obtain access token"),
        ("token", {}, 500, "Failed to obtain access token"),
        ("user", {"errcode": 40078, "errmsg": "no such code"}, 401, "Invalid authorization code"),
        ("user", Response(502, b"", []), 503, "Failed to obtain user info from DingTalk"),
        ("user", Response(200, b"<html>", []), 503, "Failed to obtain user info from DingTalk"),
    ],
)
def test_a_provider_that_gives_no_user(kind, answer, status, message, ding, build, run, request_of):
    ding[kind] = answer
    verdict, cookie = visited(build(DingtalkAuth, CONF), run, request_of("/?code=c"))
    assert (verdict, cookie) == (Exit(status, {"message": message}), None)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"secret": "1234567"}, 'property "secret" validation failed: '),
        ({"redirect_uri": ""}, 'property "redirect_uri" validation failed: '),
        ({"cookie_expires_in": 0}, 'property "cookie_expires_in" validation failed: '),
    ],
)
def test_refused_configurations(more, message, refusal):
    assert refusal(DingtalkAuth, {**CONF, **more}).startswith(message)
