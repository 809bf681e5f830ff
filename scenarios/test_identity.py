"""What a service learns about the caller, and how a request is followed from end to end."""

from __future__ import annotations

import re

import pytest

WHO = "/bi-basic/v1/whoami"


def test_the_service_learns_who_calls(gateway, stack):
    identity = gateway.get(WHO, headers=gateway.bearer("bi-partner")).json()["identity"]
    assert identity["x-consumer-username"] == "bi-partner"
    assert identity["x-real-ip"] == stack.endpoints.seen_as


def test_a_caller_cannot_choose_who_it_is(gateway):
    headers = {**gateway.bearer("bi-user"), "X-Consumer-Username": "admin"}
    assert gateway.get(WHO, headers=headers).json()["identity"]["x-consumer-username"] == "bi-user"


def test_the_tenant_comes_with_the_token(gateway):
    assert gateway.get(WHO, headers=gateway.bearer("bi-user", tenant="globex")).json()["tenant"] == "globex"


def test_a_request_gets_an_id_that_service_and_caller_share(gateway):
    answer = gateway.get(WHO, headers=gateway.bearer("bi-user"))
    id = answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id)
    assert answer.json()["request_id"] == id


def test_a_callers_own_id_is_kept(gateway):
    answer = gateway.get(WHO, headers={**gateway.bearer("bi-user"), "X-Request-Id": "trace-42"})
    assert answer.headers["X-Request-Id"] == "trace-42"
    assert answer.json()["request_id"] == "trace-42"


@pytest.mark.requires("stubs")
def test_the_id_stands_in_the_services_log(gateway, stack):
    gateway.get(WHO, headers={**gateway.bearer("bi-user"), "X-Request-Id": "find-me-in-the-log"})
    assert "find-me-in-the-log" in stack.engine.logs("bi-basic", 50)


def test_a_browser_of_the_application_may_call(gateway):
    asked = {"Origin": "https://app.bi.example", "Access-Control-Request-Method": "GET"}
    answer = gateway.options(WHO, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.bi.example"


@pytest.mark.requires("journal")
def test_the_gateway_counts_what_it_serves(gateway, stack):
    import httpx

    gateway.get("/bi-basic/healthz")
    metrics = httpx.get(f"{stack.endpoints.prometheus_url}/apisix/prometheus/metrics").text
    lines = [line for line in metrics.splitlines() if line.startswith("apisix_http_status{")]
    assert any('code="200"' in line and 'route="bi-basic-public"' in line for line in lines), lines
