"""Kubernetes' quantities in a daemon's units."""

from __future__ import annotations

import pytest

from harness.engines.limits import cores, in_bytes


@pytest.mark.parametrize(("text", "value"), [("500m", 0.5), ("2", 2.0), ("1.5", 1.5), ("", 0.0)])
def test_cores(text, value):
    assert cores(text) == value


@pytest.mark.parametrize(("text", "value"), [("256Mi", 268435456), ("1G", 10**9), ("1.5Ki", 1536), ("7", 7), ("", 0)])
def test_bytes(text, value):
    assert in_bytes(text) == value
