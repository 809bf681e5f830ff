"""Consumers by the key that an auth plugin looks for."""

from __future__ import annotations

from harness.emulators.apisix.consumers import ConsumerEntry, ConsumerIndex


def test_found_by_the_key_alone() -> None:
    jack, jill = ConsumerEntry("jack", {"key": "k1"}), ConsumerEntry("jill", {"key": 7}, "second")
    keyless = ConsumerEntry("none", {"other": "k1"})
    index = ConsumerIndex((jack, jill, keyless), "key")
    assert (index.find("k1"), index.find("7"), index.find("jack")) == (jack, jill, None)
    assert index.entries == (jack, jill, keyless) and index and not ConsumerIndex((), "key")
