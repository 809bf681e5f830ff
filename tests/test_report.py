"""What a failure's report and `harness explain` say of a request."""

from __future__ import annotations

from typing import Any

from harness.report import decision_text


def entry(**more: Any) -> dict[str, Any]:
    """A journal entry: a GET that was answered 200 by a service."""
    usual = {
        "request": {"method": "GET", "uri": "/v1/users", "host": "h"},
        "response": {"status": 200, "from_upstream": True},
        "route": "users",
        "near_misses": [],
        "consumer": None,
        "seconds": 0.0123,
        "plugins": [],
        "decisions": [],
        "upstream": {"uri": "/users", "tries": []},
    }
    return {**usual, **more}


def attempt(node: str, status: int | None, error: str = "", **times: float) -> dict[str, Any]:
    return {"node": node, "status": status, "error": error, "connect_time": None, "header_time": None, **times}


def test_tries_tell_where_the_time_went() -> None:
    tries = [
        attempt("a:1", 502, "Connection refused", response_time=0.001),
        attempt("b:2", 200, connect_time=0.0005, header_time=0.01, response_time=0.011),
    ]
    assert decision_text(entry(upstream={"uri": "/users", "tries": tries})).splitlines() == [
        "GET /v1/users (Host: h) was answered 200 after 12.3 ms",
        "  route     users",
        "  upstream  a:1 502 after 1.0 ms: Connection refused",
        "  upstream  b:2 200 after 11.0 ms (connected 0.5 ms, head 10.0 ms)",
        "  sent on   GET /users",
        "  answered  by the service",
    ]


def test_plugins_that_said_the_same_share_a_line() -> None:
    said = [
        *(("rewrite", name, "went on") for name in ("cors", "uri-blocker")),
        ("rewrite", "key-auth", "answered 401: Missing API key in request"),
        *(("access", name, "not reached") for name in ("limit-count", "acl")),
    ]
    plugins = [{"phase": phase, "plugin": name, "said": text} for phase, name, text in said]
    refused = {"status": 401, "from_upstream": False}
    told = decision_text(entry(plugins=plugins, decisions=[plugins[2]], response=refused)).splitlines()
    assert told[2:] == [
        "  rewrite   cors, uri-blocker: went on",
        "  rewrite   key-auth: answered 401: Missing API key in request",
        "            limit-count, acl: not reached",
        "  answered  by the gateway itself",
    ]


def test_what_no_route_took_tells_the_near_misses() -> None:
    miss = {"route": "users", "uri": "/v1/*", "check": "methods", "why": "GET is none of POST"}
    told = decision_text(entry(route=None, near_misses=[miss], response={"status": 404, "from_upstream": False}))
    assert "  route     none matched\n            not users (/v1/*): methods: GET is none of POST\n" in told
