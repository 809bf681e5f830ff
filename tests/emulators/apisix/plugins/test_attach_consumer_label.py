"""attach-consumer-label: labels as headers, never a client's own."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.plugins.attach_consumer_label import AttachConsumerLabel

CONF = {"headers": {"X-Dep": "$dep", "X-None": "$none"}}


def test_labels_become_headers(build: Any, request_of: Any) -> None:
    ctx = request_of("/", headers={"X-Dep": "mine", "X-None": "mine"})
    ctx.consumer = ConsumerEntry("ann", {}, labels={"dep": "sales"})
    build(AttachConsumerLabel, CONF).before_proxy(ctx)
    assert (ctx.headers.get_all("x-dep"), ctx.headers.get_all("x-none")) == (["sales"], [])


def test_without_a_consumer_the_headers_go(build: Any, request_of: Any) -> None:
    ctx = request_of("/", headers={"X-Dep": "mine"})
    build(AttachConsumerLabel, CONF).before_proxy(ctx)
    assert "x-dep" not in ctx.headers


def test_schema(refusal: Any) -> None:
    assert "failed to match pattern" in (refusal(AttachConsumerLabel, {"headers": {"X": "dep"}}) or "")
