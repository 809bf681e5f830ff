"""Instances and metadata on the wire."""

from __future__ import annotations

import pytest

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.naming.model import Instance, ServiceKey, read_metadata


def test_an_instance_in_full() -> None:
    wire = Instance("10.0.0.1", 80, metadata={"a": "b"}).wire(ServiceKey("public", "G", "s"))
    assert wire["instanceId"] == "10.0.0.1#80#DEFAULT#G@@s"
    assert wire["serviceName"] == "G@@s"
    assert (wire["instanceHeartBeatInterval"], wire["instanceHeartBeatTimeOut"], wire["ipDeleteTimeout"]) == (
        5000,
        15000,
        30000,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ('{"a":"b","n":1,"t":true,"none":null}', {"a": "b", "n": "1", "t": "true"}),
        ("a=b,c=d", {"a": "b", "c": "d"}),
    ],
)
def test_metadata_is_json_or_pairs(text: str, expected: dict[str, str]) -> None:
    assert read_metadata(text) == expected


@pytest.mark.parametrize("text", ["[1]", "nonsense", "a=b=c", "3"])
def test_other_metadata_is_refused(text: str) -> None:
    with pytest.raises(NacosError, match="metadata format incorrect"):
        read_metadata(text)
