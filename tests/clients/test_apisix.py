"""The Admin API's client: what it sends, and how it reads what APISIX 3.18.0 answers."""

from __future__ import annotations

import json

import pytest

from harness.clients import ApisixClient
from harness.errors import RemoteError
from harness.model import Resource


@pytest.fixture
def admin(server):
    return ApisixClient(server.url, "the-key")


def answering(server, answers):
    """Reply with `answers[METHOD target]`: (status, data)."""

    def reply(asked):
        status, data = answers[f"{asked.method} {asked.target.removeprefix('/apisix/admin/')}"]
        return status, json.dumps(data)

    server.reply = reply


def test_put_sends_key_and_body_and_gives_the_value(server, admin):
    stored = {"uri": "/a", "id": "r 1", "create_time": 1}
    answering(server, {"PUT routes/r%201": (201, {"key": "/apisix/routes/r 1", "value": stored})})
    assert admin.put("routes", "r 1", {"uri": "/a"}) == stored
    (asked,) = server.asked
    assert (asked.headers["x-api-key"], asked.headers["content-type"]) == ("the-key", "application/json")
    assert json.loads(asked.body) == {"uri": "/a"}


def test_a_consumer_is_put_under_its_username(server, admin):
    answering(server, {"PUT consumers": (201, {"value": {"username": "bob"}})})
    admin.put("consumers", "bob", {"username": "bob"})
    assert json.loads(server.asked[0].body) == {"username": "bob"}


def test_get_patch_delete_and_ttl(server, admin):
    answering(
        server,
        {
            "GET routes/1": (200, {"value": {"uri": "/a"}, "modifiedIndex": 7}),
            "PATCH routes/1/plugins": (200, {"value": {"uri": "/a", "plugins": {}}}),
            "DELETE routes/1?force=true": (200, {"deleted": "1"}),
            "PUT routes/2?ttl=5": (201, {"value": {"id": "2"}}),
            "POST routes": (201, {"value": {"id": "made"}}),
        },
    )
    assert admin.get("routes", "1") == {"uri": "/a"}
    assert admin.patch("routes", "1", {}, path="plugins")["plugins"] == {}
    admin.delete("routes", "1", force=True)
    assert admin.put("routes", "2", {}, ttl=5) == {"id": "2"}
    assert admin.post("routes", {})["id"] == "made"


def test_list_takes_the_empty_list_in_both_spellings(server, admin):
    answering(
        server,
        {
            "GET routes": (200, {"list": [{"value": {"id": "1"}}], "total": 1}),
            "GET services": (200, {"list": [], "total": 0}),
            "GET routes?page=9&page_size=10": (200, {"list": {}, "total": 1}),  # a Lua table without members
        },
    )
    assert admin.list("routes") == [{"id": "1"}]
    assert admin.list("services") == admin.list("routes", page=9, page_size=10) == []


def test_a_refusal_has_the_gateway_s_words(server, admin):
    server.reply = lambda asked: (400, '{"error_msg":"invalid configuration"}')
    with pytest.raises(RemoteError) as caught:
        admin.put("routes", "1", {})
    assert caught.value.status == 400
    assert "PUT /apisix/admin/routes/1 was refused" in str(caught.value)
    assert "invalid configuration" in str(caught.value)


def test_apply_keeps_the_order_and_names_the_resource_that_is_refused(server, admin):
    answering(
        server,
        {
            "PUT upstreams/a": (201, {"value": {}}),
            "PUT routes/a": (400, {"error_msg": "no"}),
        },
    )
    with pytest.raises(RemoteError, match="the gateway refused routes/a: 400"):
        admin.apply([Resource("upstreams", "a", {}), Resource("routes", "a", {}), Resource("routes", "b", {})])
    assert [asked.target.rpartition("/")[2] for asked in server.asked] == ["a", "a"]


def test_wipe_deletes_what_refers_before_what_is_referred_to(server, admin):
    values = {"routes": {"id": "r"}, "services": {"id": "s"}, "upstreams": {"id": "u"}, "consumers": {"username": "c"}}

    def reply(asked):
        kind = asked.target.removeprefix("/apisix/admin/")
        if asked.method == "DELETE":
            return 200, "{}"
        if kind == "stream_routes":
            return 400, '{"error_msg":"stream mode is disabled"}'
        return 200, json.dumps({"list": [{"value": values[kind]}] if kind in values else []})

    server.reply = reply
    admin.wipe()
    deleted = [asked.target.removeprefix("/apisix/admin/") for asked in server.asked if asked.method == "DELETE"]
    assert deleted == [
        "routes/r?force=true",
        "consumers/c?force=true",
        "services/s?force=true",
        "upstreams/u?force=true",
    ]
