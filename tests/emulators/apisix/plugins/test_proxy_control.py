"""proxy-control: what it leaves for the transport."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.proxy_control import ProxyControl


@pytest.mark.parametrize(("conf", "gathers"), [({}, True), ({"request_buffering": False}, False)])
def test_buffering(build, request_of, conf, gathers):
    ctx = request_of("/")
    build(ProxyControl, conf).rewrite(ctx)
    assert ctx.request_buffering is gathers


def test_refused_configurations(refusal):
    expected = 'property "request_buffering" validation failed: wrong type: expected boolean, got string'
    assert refusal(ProxyControl, {"request_buffering": "no"}) == expected
