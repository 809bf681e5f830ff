"""The switches: what turns them, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.naming.switches import DEFAULTS, Switches

PERIOD = "StatusSynchronizationPeriodMillis"


@pytest.mark.parametrize(
    ("entry", "value", "turned"),
    [
        ("distroThreshold", "0.5", {"distroThreshold": 0.5}),
        ("clientBeatInterval", "6000", {"clientBeatInterval": 6000}),
        ("pushVersion", "java:1.2.3", {"pushVersionOfJava": "1.2.3"}),
        ("pushVersion", "csharp:1.2.3", {"pushVersionOfCsharp": "1.2.3"}),
        ("pushCacheMillis", "10000", {"defaultPushCacheMillis": 10000}),
        ("defaultCacheMillis", "1000", {"defaultCacheMillis": 1000}),
        ("masters", "a,b", {"masters": ["a", "b"]}),
        ("distro", "no", {"distroEnabled": False}),
        ("check", "FALSE", {"healthCheckEnabled": False}),
        ("pushEnabled", "false", {"pushEnabled": False}),
        ("serviceStatusSynchronizationPeriodMillis", "6000", {"serviceStatusSynchronizationPeriodMillis": 6000}),
        ("serverStatusSynchronizationPeriodMillis", "1000", {"serverStatusSynchronizationPeriodMillis": 1000}),
        ("healthCheckTimes", "5", {"checkTimes": 5}),
        ("disableAddIP", "true", {"disableAddIP": True}),
        ("sendBeatOnly", "true", {"sendBeatOnly": True}),
        ("limitedUrlMap", "/a:403,/b:404", {"limitedUrlMap": {"/a": 403, "/b": 404}}),
        ("limitedUrlMap", "", {}),
        ("enableStandalone", "false", {}),
        ("overriddenServerStatus", "null", {"overriddenServerStatus": ""}),
        ("defaultInstanceEphemeral", "false", {"defaultInstanceEphemeral": False}),
        ("distroServerExpiredMillis", "1", {"distroServerExpiredMillis": 1}),
        ("lightBeatEnabled", "off", {"lightBeatEnabled": False}),
        ("autoChangeHealthCheckEnabled", "yes", {}),
        ("tcpHealthParams", '{"max": 3000}', {"tcpHealthParams": {"max": 3000, "min": 1000, "factor": 0.75}}),
        ("mysqlHealthParams", '{"min": 1}', {"mysqlHealthParams": {"max": 3000, "min": 1, "factor": 0.65}}),
        ("nonsense", "true", {}),
    ],
)
def test_an_entry_turns_its_switch_alone(entry: str, value: str, turned: dict[str, Any]) -> None:
    switches = Switches()
    switches.turn(entry, value)
    assert switches.values == {**DEFAULTS, **turned}


@pytest.mark.parametrize(
    ("entry", "value", "told"),
    [
        ("distroThreshold", "0", "distroThreshold can not be zero or negative: 0.0"),
        ("healthCheckTimes", "x", 'For input string: "x"'),
        ("pushVersion", "java:1", "illegal version, must match: [0-9]+\\.[0-9]+\\.[0-9]+"),
        ("pushVersion", "perl:1.0.0", "unsupported client type: perl"),
        ("pushCacheMillis", "9999", "min cache time for http or tcp is too small(<10000)"),
        ("defaultCacheMillis", "999", "min default cache time  is too small(<1000)"),
        (
            "serverStatusSynchronizationPeriodMillis",
            "1",
            "serverStatusSynchronizationPeriodMillis is too small(<15000)",
        ),
        ("limitedUrlMap", "/a", "invalid input for limited urls"),
        ("limitedUrlMap", ":1", "url can not be empty, url: "),
        ("limitedUrlMap", "/a:0", "illegal normal status code: 0"),
        ("httpHealthParams", "{", "json param invalid."),
        ("httpHealthParams", '{"min": 499}', "min check time for http or tcp is too small(<500)"),
        ("tcpHealthParams", '{"max": 2999}', "max check time for http or tcp is too small(<3000)"),
        ("tcpHealthParams", '{"factor": 2}', "malformed factor"),
    ],
)
def test_a_bad_value_turns_nothing(entry: str, value: str, told: str) -> None:
    switches = Switches()
    with pytest.raises(NacosError) as refused:
        switches.turn(entry, value)
    assert (refused.value.status, refused.value.detail) == (400, told)
    assert switches.values == DEFAULTS


def test_a_versions_names() -> None:
    assert {"pushGoVersion", "pushCSharpVersion"} <= Switches().named(is_2=True).keys()
    assert {"pushVersionOfGo", "pushVersionOfCsharp"} <= Switches().named(is_2=False).keys()
