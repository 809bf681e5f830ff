"""The server's switches: what an operator turns while it runs. Upstream: `SwitchDomain`, `SwitchManager`."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness.emulators.nacos.errors import NacosError

#: As they come, in the words of 3.x.
DEFAULTS: dict[str, Any] = {
    "name": "00-00---000-NACOS_SWITCH_DOMAIN-000---00-00",
    "masters": None,
    "adWeightMap": {},
    "defaultPushCacheMillis": 10000,
    "clientBeatInterval": 5000,
    "defaultCacheMillis": 3000,
    "distroThreshold": 0.7,
    "healthCheckEnabled": True,
    "autoChangeHealthCheckEnabled": True,
    "distroEnabled": True,
    "enableStandalone": True,
    "pushEnabled": True,
    "checkTimes": 3,
    "httpHealthParams": {"max": 5000, "min": 500, "factor": 0.85},
    "tcpHealthParams": {"max": 5000, "min": 1000, "factor": 0.75},
    "mysqlHealthParams": {"max": 3000, "min": 2000, "factor": 0.65},
    "incrementalList": [],
    "serverStatusSynchronizationPeriodMillis": 2000,
    "serviceStatusSynchronizationPeriodMillis": 5000,
    "disableAddIP": False,
    "sendBeatOnly": False,
    "lightBeatEnabled": True,
    "limitedUrlMap": {},
    "distroServerExpiredMillis": 10000,
    "pushVersionOfGo": "0.1.0",
    "pushVersionOfJava": "0.1.0",
    "pushVersionOfPython": "0.4.3",
    "pushVersionOfC": "1.0.12",
    "pushVersionOfCsharp": "0.9.0",
    "enableAuthentication": False,
    "overriddenServerStatus": None,
    "defaultInstanceEphemeral": True,
    "healthCheckWhiteList": [],
    "checksum": None,
}

#: What 2.x calls some of them.
_IN_2 = {
    "pushVersionOfGo": "pushGoVersion",
    "pushVersionOfJava": "pushJavaVersion",
    "pushVersionOfPython": "pushPythonVersion",
    "pushVersionOfC": "pushCVersion",
    "pushVersionOfCsharp": "pushCSharpVersion",
}


class HealthParams(NamedTuple):
    """How often one kind of probe is made: bounds in ms, and how much of the last interval stays in the next."""

    max: int
    min: int
    factor: float


class Switches:
    """All switches of one server; `values` are in the words of 3.x."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = copy.deepcopy(DEFAULTS)
        #: Told when one was turned.
        self.written: Callable[[], None] = lambda: None

    @property
    def checks_health(self) -> bool:
        """Whether probes are made and missed heart-beats count."""
        return bool(self.values["healthCheckEnabled"])

    @property
    def check_times(self) -> int:
        """How many probes in a row must say so before an instance's health changes."""
        return int(self.values["checkTimes"])

    @property
    def pushes(self) -> bool:
        """Whether subscribers are told of changes."""
        return bool(self.values["pushEnabled"])

    def health_params(self, kind: str) -> HealthParams:
        """Those of `TCP` or `HTTP`."""
        return HealthParams(**self.values[f"{kind.lower()}HealthParams"])

    def named(self, is_2: bool) -> dict[str, Any]:
        """All of them as a version spells them."""
        told = _IN_2 if is_2 else {}
        return {told.get(name, name): value for name, value in self.values.items()}

    def turn(self, entry: str, value: str) -> None:
        """Turn one as an operator names it; an unknown name does nothing. Raises NacosError (400) for a bad value."""
        found = _ENTRIES.get(entry)
        if found is None:
            return
        try:
            turned = found(value)
        except ValueError as error:
            raise NacosError(400, str(error)) from error
        self.values.update(turned)
        self.written()


_VERSION = r"[0-9]+\.[0-9]+\.[0-9]+"

# -- the entries, each read as `SwitchManager` reads it; ValueError carries its words ----------------------------------

Read = Callable[[str], Mapping[str, Any]]


def _number(value: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", value):
        raise ValueError(f'For input string: "{value}"')
    return int(value)


def _decimal(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f'For input string: "{value}"') from None


def _is_true(value: str) -> bool:
    """`Boolean.parseBoolean`."""
    return value.lower() == "true"


def _is_yes(value: str) -> bool:
    """`ConvertUtils.toBoolean`."""
    return value.lower() in {"true", "on", "yes", "t", "y"}


def _flag(name: str, read: Callable[[str], bool] = _is_true) -> Read:
    return lambda value: {name: read(value)}


def _at_least(name: str, least: int | None = None, otherwise: str = "") -> Read:
    def read(value: str) -> Mapping[str, Any]:
        number = _number(value)
        if least is not None and number < least:
            raise ValueError(otherwise)
        return {name: number}

    return read


def _threshold(value: str) -> Mapping[str, Any]:
    threshold = _decimal(value)
    if threshold <= 0:
        raise ValueError(f"distroThreshold can not be zero or negative: {threshold}")
    return {"distroThreshold": threshold}


def _push_version(value: str) -> Mapping[str, Any]:
    kind, _, version = value.partition(":")
    if not re.fullmatch(_VERSION, version):
        raise ValueError(f"illegal version, must match: {_VERSION}")
    name = {"java": "Java", "python": "Python", "c": "C", "go": "Go", "csharp": "Csharp"}.get(kind)
    if name is None:
        raise ValueError(f"unsupported client type: {kind}")
    return {f"pushVersionOf{name}": version}


def _limited_urls(value: str) -> Mapping[str, Any]:
    limited = {}
    for each in filter(None, value.split(",")):
        url, separator, status = each.partition(":")
        if not separator:
            raise ValueError("invalid input for limited urls")
        if not url:
            raise ValueError(f"url can not be empty, url: {url}")
        if _number(status) <= 0:
            raise ValueError(f"illegal normal status code: {status}")
        limited[url] = _number(status)
    return {"limitedUrlMap": limited} if limited else {}


def _params(kind: str, *, checked: bool = True) -> Read:
    def read(value: str) -> Mapping[str, Any]:
        try:
            loaded = json.loads(value)
            params = HealthParams(**{**_FIRST_PARAMS[kind], **loaded})
            params = HealthParams(int(params.max), int(params.min), float(params.factor))
        except (ValueError, TypeError):
            raise ValueError("json param invalid.") from None
        if checked:
            _check(params)
        return {f"{kind}HealthParams": params._asdict()}

    return read


#: What a member that the JSON leaves out is.
_FIRST_PARAMS = {kind: DEFAULTS[f"{kind}HealthParams"] for kind in ("http", "tcp", "mysql")}


def _check(params: HealthParams) -> None:
    if params.min < 500:
        raise ValueError("min check time for http or tcp is too small(<500)")
    if params.max < 3000:
        raise ValueError("max check time for http or tcp is too small(<3000)")
    if not 0 <= params.factor <= 1:
        raise ValueError("malformed factor")


def _status(value: str) -> Mapping[str, Any]:
    return {"overriddenServerStatus": "" if value == "null" else value}


_ENTRIES: dict[str, Read] = {
    "distroThreshold": _threshold,
    "clientBeatInterval": _at_least("clientBeatInterval"),
    "pushVersion": _push_version,
    "pushCacheMillis": _at_least(
        "defaultPushCacheMillis", 10_000, "min cache time for http or tcp is too small(<10000)"
    ),
    "defaultCacheMillis": _at_least("defaultCacheMillis", 1_000, "min default cache time  is too small(<1000)"),
    "masters": lambda value: {"masters": value.split(",")},
    "distro": _flag("distroEnabled"),
    "check": _flag("healthCheckEnabled"),
    "pushEnabled": _flag("pushEnabled"),
    "serviceStatusSynchronizationPeriodMillis": _at_least(
        "serviceStatusSynchronizationPeriodMillis",
        5_000,
        "serviceStatusSynchronizationPeriodMillis is too small(<5000)",
    ),
    "serverStatusSynchronizationPeriodMillis": _at_least(
        "serverStatusSynchronizationPeriodMillis",
        1_000,
        "serverStatusSynchronizationPeriodMillis is too small(<15000)",  # so it says, whatever it compares with
    ),
    "healthCheckTimes": _at_least("checkTimes"),
    "disableAddIP": _flag("disableAddIP"),
    "sendBeatOnly": _flag("sendBeatOnly"),
    "limitedUrlMap": _limited_urls,
    #: only a blank value is taken, which is no `true`
    "enableStandalone": lambda value: {} if value else {"enableStandalone": False},
    "overriddenServerStatus": _status,
    "defaultInstanceEphemeral": _flag("defaultInstanceEphemeral"),
    "distroServerExpiredMillis": _at_least("distroServerExpiredMillis"),
    "lightBeatEnabled": _flag("lightBeatEnabled", _is_yes),
    "autoChangeHealthCheckEnabled": _flag("autoChangeHealthCheckEnabled", _is_yes),
    "httpHealthParams": _params("http"),
    "tcpHealthParams": _params("tcp"),
    "mysqlHealthParams": _params("mysql", checked=False),
}
