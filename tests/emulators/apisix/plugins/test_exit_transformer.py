"""exit-transformer: the gateway's own answers, changed."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.exit_transformer import ExitTransformer

WRAP = (
    "return (function(code, body, header) if code == 401 then return 418, {wrapped = body.message}, "
    '{["X-Exit"] = "1"} end return code, body, header end)(...)'
)


@pytest.fixture
def changed(build, request_of):
    def play(source, verdict):
        ctx = request_of("/")
        build(ExitTransformer, {"functions": [source]}).rewrite(ctx)
        for change in ctx.on_exit:
            verdict = change(verdict)
        return verdict

    return play


def test_status_body_and_headers(changed):
    verdict = changed(WRAP, Exit(401, {"message": "no"}, (("WWW-Authenticate", "x"),)))
    assert (verdict.status, verdict.body) == (418, {"wrapped": "no"})
    assert verdict.headers == (("WWW-Authenticate", "x"), ("X-Exit", "1"))


def test_what_passes_unchanged(changed):
    assert changed(WRAP, Exit(403, b"text")) == Exit(403, b"text")
    assert changed(WRAP, Exit(503)) == Exit(503)


def test_an_error_leaves_the_answer(changed, scope):
    assert changed('error("no")', Exit(401, b"a")) == Exit(401, b"a")
    assert scope.logs[0][1].startswith("failed to run lua code")


def test_a_function_that_is_not_called_spoils_the_answer(changed):
    assert changed("return function(code) return 418 end", Exit(401, b"a")) == Exit(500)


def test_refused_configurations(refusal):
    assert refusal(ExitTransformer, {"functions": ["not lua"]}) == (
        "[string \"not lua\"]:1: unexpected symbol near 'not'"
    )
