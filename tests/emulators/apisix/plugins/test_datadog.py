"""datadog: metrics and tags in datagrams."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Try
from harness.emulators.apisix.plugins.datadog import Datadog


@pytest.fixture
def told(build, request_of, run, scope):
    """told(conf, metadata={}, change=…) → the lines of the datagrams that one request makes."""

    def play(conf, metadata=None, count=1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
            sink.bind(("127.0.0.1", 0))
            sink.settimeout(10)
            scope.plugin_metadata["datadog"] = {"port": sink.getsockname()[1], **(metadata or {})}
            plugin = build(Datadog, {"batch_max_size": 1, **conf})
            ctx = request_of("/a/1")
            ctx.status, ctx.bytes_sent, ctx.request_length = 200, 20, 10
            ctx.route = SimpleNamespace(id="7", value={"id": "7", "name": "shop", "service_id": "3"}, plan=None)
            ctx.path_params = {"_path": "/a/*"}
            ctx.tries = [Try("10.0.0.1:80", status=200, response_time=0.125)]
            ctx.upstream_scheme = "http"
            ctx.consumer = ConsumerEntry("jack", {})
            scope.clock.advance(0.25)

            async def collect():
                plugin.log(ctx)
                return [await asyncio.to_thread(sink.recv, 65536) for _ in range(count)]

            return [part.decode() for part in run(collect())]

    return play


TAGS = "consumer:jack,balancer_ip:10.0.0.1,response_status:200,response_status_class:2xx,scheme:http"


def test_a_request(told, scope):
    scope.resources[("services", "3")] = {"name": "goods"}
    (text,) = told({"constant_tags": ["team:a"]})
    tags = f"|#source:apisix,team:a,route_name:shop,service_name:goods,{TAGS}"
    assert text.split("\n") == [
        f"apisix.request.counter:1|c{tags}",
        f"apisix.request.latency:250|h{tags}",
        f"apisix.upstream.latency:125|h{tags}",
        f"apisix.apisix.latency:125|h{tags}",
        f"apisix.ingress.size:10|ms{tags}",
        f"apisix.egress.size:20|ms{tags}",
    ]


def test_ids_path_and_method(told):
    conf = {"prefer_name": False, "include_path": True, "include_method": True}
    (text,) = told(conf, {"namespace": "", "constant_tags": []})
    assert text.split("\n")[0] == f"request.counter:1|c|#route_name:7,path:/a/*,method:GET,service_name:3,{TAGS}"


def test_a_service_without_a_name_loses_its_tag(told, scope):
    scope.resources[("services", "3")] = {}
    (text,) = told({})
    assert "service_name" not in text


def test_what_is_too_long_for_a_datagram_goes_a_metric_at_a_time(told):
    texts = told({"constant_tags": [f"t{number}{'x' * 180}" for number in range(10)]}, count=6)
    assert [text.partition(":")[0] for text in texts] == [
        "apisix.request.counter",
        "apisix.request.latency",
        "apisix.upstream.latency",
        "apisix.apisix.latency",
        "apisix.ingress.size",
        "apisix.egress.size",
    ]


@pytest.mark.parametrize("tag", ["", "1a", "a:", "a b", "x" * 201])
def test_tags_that_are_none(tag, refusal):
    assert refusal(Datadog, {"constant_tags": [tag]}).startswith('property "constant_tags" validation failed: ')


def test_a_tag_may_hold_these(refusal):
    assert refusal(Datadog, {"constant_tags": ["Team_a.b:c/d-1"]}) is None
