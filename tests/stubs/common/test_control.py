"""What every replica answers besides its service: health, echo, journal, knobs, metrics, errors, log."""

from __future__ import annotations

import base64
import json

import pytest

from harness.wait import until


def test_health_says_who_answers(bi_basic):
    assert bi_basic.http.get("/healthz").json() == {
        "status": "ok",
        "service": "bi-basic",
        "replica": "bi-basic-0",
        "deploy_env": "dev",
    }
    assert bi_basic.http.get("/readyz").json()["status"] == "ready"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
def test_echo_answers_any_method_with_what_arrived(bi_basic, method):
    headers = [("X-Twice", "1"), ("x-twice", "2"), ("X-Request-Id", "rid-1")]
    answer = bi_basic.http.request(method, "/echo/a%2Fb/c%20d?x=1&x=2&y", headers=headers, content=b"hello")
    seen = answer.json()
    assert (seen["method"], seen["body"], seen["request_id"]) == (method, "hello", "rid-1")
    assert (seen["path"], seen["raw_target"]) == ("/echo/a/b/c d", "/echo/a%2Fb/c%20d?x=1&x=2&y")
    assert seen["query"] == [["x", "1"], ["x", "2"], ["y", ""]]
    assert [pair for pair in seen["headers"] if pair[0] == "x-twice"] == [["x-twice", "1"], ["x-twice", "2"]]
    assert (seen["service"], seen["replica"], seen["version"], seen["zone"]) == (
        "bi-basic",
        "bi-basic-0",
        "1.2.3",
        "z1",
    )
    assert answer.headers["x-served-by"] == "bi-basic-0"


def test_echo_gives_bytes_that_are_no_text_in_base64(bi_basic):
    seen = bi_basic.http.post("/echo", content=b"\xff\x00").json()
    assert seen["body_base64"] and base64.b64decode(seen["body"]) == b"\xff\x00"


def test_the_journal_keeps_business_requests_and_forgets_on_demand(bi_basic):
    bi_basic.http.get("/healthz")
    bi_basic.http.get("/v1/users/u-1001?a=1", headers={"X-Request-Id": "rid-7", "X-Tenant-Id": "acme"})
    bi_basic.http.get("/nowhere")
    journal = bi_basic.http.get("/_stub/journal").json()
    first, second = journal["requests"]
    assert (first["id"], first["path"], first["query"]) == (1, "/v1/users/u-1001", "a=1")
    assert (first["status"], first["request_id"], first["tenant"]) == (200, "rid-7", "acme")
    assert ["x-tenant-id", "acme"] in first["headers"]
    assert (second["path"], second["status"]) == ("/nowhere", 404)
    assert len(bi_basic.http.get("/_stub/journal?request_id=rid-7").json()["requests"]) == 1
    assert bi_basic.http.delete("/_stub/journal").status_code == 204
    assert bi_basic.http.get("/_stub/journal").json()["received"] == 0


def test_the_journal_is_bounded(warm):
    small = warm.start("bi-api-leke", "leke-small", JOURNAL_SIZE="3")
    for number in range(5):
        small.http.get(f"/echo/{number}")
    journal = small.http.get("/_stub/journal").json()
    assert (journal["received"], journal["dropped"]) == (5, 2)
    assert [entry["path"] for entry in journal["requests"]] == ["/echo/2", "/echo/3", "/echo/4"]


def test_a_fixed_status_touches_business_routes_only(bi_basic):
    bi_basic.http.put("/_stub/knobs", json={"status": 503}).raise_for_status()
    answer = bi_basic.http.get("/v1/users", headers={"X-Request-Id": "r"})
    assert answer.status_code == 503
    assert answer.json() == {"code": "knob_status", "message": "status 503 set by the knobs", "request_id": "r"}
    assert [bi_basic.http.get(path).status_code for path in ("/healthz", "/metrics", "/_stub/journal")] == [200] * 3
    bi_basic.http.delete("/_stub/knobs")
    assert bi_basic.http.get("/v1/users").status_code == 200


def test_a_seeded_error_rate_draws_the_same_errors_again(bi_basic):
    def drawn() -> list[int]:
        knobs = {"error_rate": 0.5, "error_status": 502, "seed": 7}
        bi_basic.http.put("/_stub/knobs", json=knobs).raise_for_status()
        return [bi_basic.http.get("/v1/users").status_code for _ in range(20)]

    first = drawn()
    assert set(first) == {200, 502} and drawn() == first


def test_latency_is_added_to_business_requests(bi_basic):
    bi_basic.http.put("/_stub/knobs", json={"latency_ms": 30, "jitter_ms": 5})
    bi_basic.http.get("/v1/users")
    entry = bi_basic.http.get("/_stub/journal").json()["requests"][0]
    assert entry["duration_ms"] >= 30


def test_health_can_be_taken_away(bi_basic):
    bi_basic.http.put("/_stub/knobs", json={"healthy": False})
    assert [bi_basic.http.get(path).status_code for path in ("/healthz", "/readyz", "/v1/users")] == [503, 503, 200]


@pytest.mark.parametrize(
    ("knobs", "field"),
    [
        ({"error_rate": 2}, "error_rate"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"status": 99}, "status"),
        ({"speed": 1}, "speed"),
    ],
)
def test_wrong_knobs_are_refused_by_name(bi_basic, knobs, field):
    answer = bi_basic.http.put("/_stub/knobs", json=knobs)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_reset_brings_journal_and_knobs_back(bi_basic):
    bi_basic.http.put("/_stub/knobs", json={"status": 418})
    bi_basic.http.get("/v1/users")
    assert bi_basic.http.post("/_stub/reset").status_code == 204
    assert bi_basic.http.get("/_stub/journal").json()["requests"] == []
    assert bi_basic.http.get("/v1/users").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/nowhere", b"", 404, "not_found"),
        ("POST", "/v1/users", b"", 405, "method_not_allowed"),
        ("POST", "/v1/auth/login", b"{", 400, "not_json"),
        ("POST", "/v1/auth/login", b"[]", 422, "invalid"),
        ("GET", "/v1/users?wrong=1", b"", 422, "invalid"),
    ],
)
def test_errors_are_json_with_the_request_id(bi_basic, method, path, content, status, code):
    answer = bi_basic.http.request(method, path, content=content, headers={"X-Request-Id": "rid-e"})
    assert answer.status_code == status
    assert (answer.json()["code"], answer.json()["request_id"]) == (code, "rid-e")


def test_metrics_count_requests_by_route(bi_basic):
    bi_basic.http.get("/v1/users/u-1001")
    text = bi_basic.http.get("/metrics").text
    assert 'stub_requests_total{method="GET",protocol="http",route="/v1/users/{id}",status="200"}' in text
    assert 'stub_info{replica="bi-basic-0",service="bi-basic",version="1.2.3",zone="z1"} 1.0' in text


def test_the_log_has_one_line_per_request_and_no_secret(bi_basic):
    claims = base64.urlsafe_b64encode(json.dumps({"tenant": "globex"}).encode()).decode().rstrip("=")
    headers = {"X-Request-Id": "rid-log", "Authorization": f"Bearer head.{claims}.signature"}
    login = {"username": "alice", "password": "alice-password"}
    bi_basic.http.post("/v1/auth/login?apikey=sesame", json=login, headers=headers)

    def logged() -> list[dict]:
        return [line for line in bi_basic.lines("request") if line["request_id"] == "rid-log"]

    (line,) = until(logged, 5, awaited="the line")
    expected = {"level": "info", "service": "bi-basic", "replica": "bi-basic-0", "tenant": "globex"}
    assert expected.items() <= line.items()
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/auth/login", 200)
    assert line["duration_ms"] > 0 and line["time"].endswith("Z")
    text = bi_basic.log.read_text()
    assert not [secret for secret in ("alice-password", "sesame", claims) if secret in text]
