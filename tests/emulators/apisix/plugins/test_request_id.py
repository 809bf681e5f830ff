"""request-id: ids made, kept and answered."""

from __future__ import annotations

import re

import pytest

from harness.emulators.apisix.plugins.request_id import RequestId

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-%d[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def test_an_id_is_made_for_both_sides(build, request_of):
    plugin, ctx = build(RequestId), request_of("/r")
    plugin.rewrite(ctx)
    plugin.header_filter(ctx)
    made = ctx.headers.get("x-request-id")
    assert re.fullmatch(UUID % 4, made)
    assert ctx.response.get("x-request-id") == made


def test_the_clients_id_is_kept_an_empty_one_replaced(build, request_of):
    plugin = build(RequestId)
    mine, empty = request_of("/r", headers={"X-Request-Id": "mine"}), request_of("/r", headers={"X-Request-Id": ""})
    for ctx in (mine, empty):
        plugin.rewrite(ctx)
        plugin.header_filter(ctx)
    assert mine.response.get("x-request-id") == "mine"
    assert re.fullmatch(UUID % 4, empty.headers.get("x-request-id"))


def test_the_upstreams_own_id_wins_in_the_answer(build, request_of):
    plugin, ctx = build(RequestId), request_of("/r")
    plugin.rewrite(ctx)
    ctx.response.set("X-Request-Id", "upstream")
    plugin.header_filter(ctx)
    assert ctx.response.get_all("x-request-id") == ["upstream"]


def test_another_header_kept_from_the_client(build, request_of):
    plugin, ctx = build(RequestId, {"header_name": "X-Trace", "include_in_response": False}), request_of("/r")
    plugin.rewrite(ctx)
    plugin.header_filter(ctx)
    assert ctx.headers.get("x-trace")
    assert len(ctx.response) == 0


@pytest.mark.parametrize(
    ("conf", "form"),
    [
        ({"algorithm": "nanoid"}, r"[\w-]{21}"),
        ({"algorithm": "ksuid"}, r"[0-9A-Za-z]{27}"),
        ({"algorithm": "uuidv7"}, UUID % 7),
        ({"algorithm": "range_id", "range_id": {"length": 8, "char_set": "abcdef"}}, r"[a-f]{8}"),
    ],
)
def test_algorithms(build, request_of, conf, form):
    plugin, ctx = build(RequestId, conf), request_of("/r")
    plugin.rewrite(ctx)
    assert re.fullmatch(form, ctx.headers.get("x-request-id"))


def test_refused_configurations(refusal):
    assert "matches none of the enum values" in refusal(RequestId, {"algorithm": "snowflake"})
    assert "expected 2 to be at least 6" in refusal(RequestId, {"range_id": {"length": 2}})
