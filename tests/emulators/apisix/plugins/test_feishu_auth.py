"""feishu-auth: codes exchanged for tokens and users."""

from __future__ import annotations

import base64
import json

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.feishu_auth import FeishuAuth

CONF = {
    "app_id": "id",
    "app_secret": "app-secret",
    "secret": "12345678",
    "auth_redirect_uri": "https://back.test",
    "redirect_uri": "https://login.test",
    "access_token_url": "http://feishu.test/token",
    "userinfo_url": "http://feishu.test/user",
}
INVALID = Exit(401, {"message": "Invalid authorization code"})


@pytest.fixture
def feishu(scope):
    answers = {
        "token": {"access_token": "tok", "expires_in": 7200},
        "user": {"code": 0, "data": {"name": "jack"}},
    }

    def answer(request):
        held = answers[request.url.removeprefix("http://feishu.test/")]
        return held if isinstance(held, Response) else Response(200, json.dumps(held).encode(), [])

    scope.answer = answer
    return answers


def test_a_code_is_exchanged_for_the_user(feishu, build, run, request_of, scope):
    plugin = build(FeishuAuth, CONF)
    ctx = request_of("/", headers={"X-Feishu-Code": "c1"})
    assert run(plugin.rewrite(ctx)) is None
    assert json.loads(base64.b64decode(ctx.headers.get("x-userinfo"))) == {"name": "jack"}
    token, user = scope.fetched
    assert json.loads(token.body) == {
        "grant_type": "authorization_code",
        "client_id": "id",
        "client_secret": "app-secret",
        "redirect_uri": "https://back.test",
        "code": "c1",
    }
    assert (user.method, dict(user.headers)["Authorization"]) == ("GET", "Bearer tok")
    plugin.header_filter(ctx)
    assert ctx.response.get("set-cookie").startswith("feishu_session=")


def test_without_a_code_the_client_is_sent_to_log_in(feishu, build, run, request_of):
    assert run(build(FeishuAuth, CONF).rewrite(request_of("/"))) == Exit(
        302, None, (("Location", "https://login.test"),)
    )


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("token", Response(400, b"{}", [])),
        ("token", {"access_token": "tok"}),
        ("user", {"code": 99991663, "msg": "invalid token"}),
        ("user", Response(500, b"", [])),
    ],
)
def test_a_provider_that_gives_no_user(kind, answer, feishu, build, run, request_of):
    feishu[kind] = answer
    ctx = request_of("/?code=c")
    plugin = build(FeishuAuth, CONF)
    assert run(plugin.rewrite(ctx)) == INVALID
    plugin.header_filter(ctx)
    assert ctx.response.get("set-cookie") is None


def test_refused_configurations(refusal):
    without = {name: value for name, value in CONF.items() if name != "auth_redirect_uri"}
    assert refusal(FeishuAuth, without) == 'property "auth_redirect_uri" is required'
