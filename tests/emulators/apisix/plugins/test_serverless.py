"""serverless functions: what the user's Lua can do in each phase."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.emulators.apisix.lua import LuaFailure
from harness.emulators.apisix.plugins.serverless_post_function import ServerlessPostFunction
from harness.emulators.apisix.plugins.serverless_pre_function import ServerlessPreFunction

CORE = 'local core = require("apisix.core") '


@pytest.fixture
def lua(build):
    """lua(body of a function(conf, ctx), phase) → the plugin."""

    def make(body, phase="access"):
        conf = {"phase": phase, "functions": [f"return function(conf, ctx) {body} end"]}
        return build(ServerlessPreFunction, conf)

    return make


def test_a_status_and_a_body_end_the_request(lua, request_of):
    stopped = lua('return 409, "stop here"').access(request_of("/x"))
    assert (stopped.status, stopped.body) == (409, b"stop here")
    table = lua("return 400, {a = 1}").access(request_of("/x"))
    assert (table.status, table.body) == (400, {"a": 1})
    assert lua("local x = 1").access(request_of("/x")) is None


def test_say_and_exit_even_within_pcall(lua, request_of):
    ctx = request_of("/x")
    verdict = lua('pcall(function() ngx.say("said") ngx.exit(202) end) error("never")').access(ctx)
    assert (verdict.status, verdict.body) == (202, None)
    # the head went out with what was said
    assert (ctx.said.status, ctx.said.body) == (200, b"said\n")


def test_what_is_said_gathers_until_the_phase_is_over(build, request_of):
    say = "return function() ngx.status = 201 ngx.print('a') ngx.say('b') end"
    ctx = request_of("/x")
    for functions in ([say, say], ["return function() ngx.say('c') end"]):
        assert build(ServerlessPreFunction, {"functions": functions}).access(ctx) is None
    assert (ctx.said.status, ctx.said.body) == (201, b"ab\nab\nc\n")


def test_core_response_exit(lua, request_of):
    verdict = lua(CORE + "core.response.exit(202, {uri = ctx.var.uri})").access(request_of("/a"))
    assert (verdict.status, verdict.body) == (202, {"uri": "/a"})


def test_requests_are_changed(lua, request_of):
    ctx = request_of("/c?old=1", headers={"X-Gone": "1"})
    lua(
        CORE + 'core.request.set_header(ctx, "X-Set", core.request.get_method()) '
        'core.request.add_header(ctx, "X-Add", 1) ngx.req.clear_header("X-Gone") '
        'core.response.set_header("X-Resp", core.request.header(ctx, "host")) ngx.var.mine = "kept" '
        "local a = core.request.get_uri_args(ctx) a.new = 1 core.request.set_uri_args(ctx, a)"
    ).access(ctx)
    assert list(ctx.headers)[1:] == [("X-Set", "GET"), ("X-Add", "1")]
    assert ctx.response.get("x-resp") == "golden.test"
    assert sorted(ctx.query.split("&")) == ["new=1", "old=1"]
    assert ctx.upstream_uri == f"/c?{ctx.query}"
    assert ctx.variables["mine"] == "kept"


def test_a_chosen_upstream_uri_keeps_its_own_query(lua, request_of):
    ctx = request_of("/c")
    lua('ctx.var.upstream_uri = "/changed" ngx.req.set_uri_args({new = "1"})').access(ctx)
    assert ctx.upstream_uri == "/changed"


def test_the_body_is_there_and_can_be_replaced(lua, request_of, run):
    ctx = request_of("/b", method="POST", body=b'{"a":[1,2]}')
    ctx.route = SimpleNamespace(id="2", value={"id": "2"})
    plugin = lua(
        CORE + 'local t = core.json.decode(core.request.get_body()) ngx.req.set_body_data("new") '
        "return 200, {got = t.a, id = ctx.route_id}"
    )
    verdict = run(plugin.access(ctx))
    assert verdict.body == {"got": [1, 2], "id": "2"}
    assert ctx.body == b"new"


def test_header_and_body_filters(build, request_of, lua):
    ctx = request_of("/h")
    ctx.status = 200
    ctx.response.set("Content-Type", "text/plain")
    header = 'ngx.header["X-Post"] = ngx.status .. ngx.header.content_type ngx.status = 201'
    lua(header, "header_filter").header_filter(ctx)
    assert (ctx.status, ctx.response.get("x-post")) == (201, "200text/plain")
    source = 'return function() if ngx.arg[2] then ngx.arg[1] = ngx.arg[1] .. "tail" else ngx.arg[1] = nil end end'
    plugin = build(ServerlessPostFunction, {"phase": "body_filter", "functions": [source]})
    assert plugin.body_filter(ctx, b"a\xff", False) + plugin.body_filter(ctx, b"b\xff", True) == b"b\xfftail"


def test_notes_pass_from_phase_to_phase_of_one_request(lua, request_of):
    first, other = request_of("/"), request_of("/")
    lua("ctx.seen = 'yes'", "rewrite").rewrite(first)
    later = lua("return 200, tostring(ctx.seen)")
    assert later.access(first).body == b"yes"
    assert later.access(other).body == b"nil"


def test_shared_dictionaries(lua, request_of):
    plugin = lua('return 200, tostring(ngx.shared["plugin-x"]:incr("n", 1, 0))')
    assert [plugin.access(request_of("/")).body for _ in range(2)] == [b"1", b"2"]


def test_the_configuration_is_handed_over(lua, request_of):
    assert lua("return 200, conf.phase").access(request_of("/")).body == b"access"


@pytest.mark.parametrize("body", ['error("no")', 'require("socket")', "ngx.sleep(1)"])
def test_what_fails_fails_loudly(lua, request_of, body):
    with pytest.raises(LuaFailure):
        lua(body).access(request_of("/"))


def test_only_the_named_phase_is_there(lua):
    plugin = lua("", "rewrite")
    assert plugin.rewrite
    assert plugin.access is None


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "functions" is required'),
        ({"functions": ["not lua"]}, "failed to loadstring: [string \"not lua\"]:1: unexpected symbol near 'not'"),
        ({"functions": ["local x = 1"]}, "only accept Lua function, the input code type is nil"),
        ({"functions": ["error('a', 0)"]}, "pcall error: a"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(ServerlessPreFunction, conf) == message


def test_headers_are_found_in_any_case(lua, request_of):
    ctx = request_of("/", headers={"X-One-Two": "12"})
    verdict = lua(CORE + 'return 200, core.request.headers()["X-One-Two"] .. ngx.req.get_headers().x_one_two').access(
        ctx
    )
    assert verdict.body == b"1212"
