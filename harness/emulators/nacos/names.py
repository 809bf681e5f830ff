"""Names on the wire: defaults, grouped service names, and the rules every parameter is checked by."""

from __future__ import annotations

import re

from harness.emulators.nacos.errors import Filtered, IllegalParameter, invalid

PUBLIC = "public"
DEFAULT_GROUP = "DEFAULT_GROUP"
DEFAULT_CLUSTER = "DEFAULT"
SPLITTER = "@@"

_SERVICE = re.compile(r"(?!@)[^\s一-龥]+")
_PLAIN = re.compile(r"[0-9a-zA-Z\-_:.]+")
_CLUSTER = re.compile(r"[0-9a-zA-Z\-_]+")
_INSTANCE_CLUSTER = re.compile(r"[0-9a-zA-Z-]+")
_NAMESPACE = re.compile(r"[\w-]+")
_SHOWN = re.compile(r"[^@#$%^&*]+")
_IP = re.compile(r"[^\s一-龥]+")

#: parameter → (pattern or None, longest value)
_RULES: dict[str, tuple[re.Pattern[str] | None, int]] = {
    "namespaceId": (_NAMESPACE, 64),
    "tenant": (_NAMESPACE, 64),
    "serviceName": (_SERVICE, 512),
    "groupName": (_PLAIN, 128),
    "group": (_PLAIN, 128),
    "dataId": (_PLAIN, 256),
    "clusterName": (_CLUSTER, 64),
    "ip": (_IP, 128),
    "namespaceShowName": (_SHOWN, 256),
}


#: What the filter that reads service names answers.
_ILLEGAL = "Param 'serviceName' is illegal, {}"
_UNNAMED = f"Service name filter error,caused: {_ILLEGAL};"
_GROUPED = f"it should be format as 'groupName{SPLITTER}serviceName'"
#: How the checker calls a parameter where that is not its name.
_TOLD = {
    "namespaceId": "namespaceId/tenant",
    "tenant": "namespaceId/tenant",
    "groupName": "group",
    "clusterName": "cluster",
}


def check(name: str, value: str) -> None:
    """Refuse a value as the server's parameter checker does; raises NacosError (400)."""
    pattern, longest = _RULES[name]
    if len(value) > longest:
        raise IllegalParameter(
            f"Param '{_TOLD.get(name, name)}' is illegal, the param length should not exceed {longest}."
        )
    if value and pattern is not None and not pattern.fullmatch(value):
        raise IllegalParameter(
            f"Param '{_TOLD.get(name, name)}' is illegal, illegal characters should not appear in the param."
        )


def check_clusters(clusters: str) -> None:
    """Check each name of a comma list of clusters; raises NacosError (400)."""
    for cluster in clusters.split(","):
        check("clusterName", cluster.strip())


def check_instance_cluster(cluster: str) -> None:
    """An instance's own cluster may not hold `_` (stricter than the checker: `InstanceUtil`)."""
    if not _INSTANCE_CLUSTER.fullmatch(cluster):
        raise invalid(
            f"Instance 'clusterName' should be characters with only 0-9a-zA-Z-. (current: {cluster})", code=21004
        )


def check_port(value: str) -> int:
    """Read a port; raises IllegalParameter."""
    if not is_int(value) or not 0 <= int(value) <= 65535:
        raise IllegalParameter("Param 'port' is illegal, the value should be between 0 and 65535.")
    return int(value)


def is_int(value: str) -> bool:
    """Whether Java reads this as an integer."""
    return re.fullmatch(r"[+-]?[0-9]{1,18}", value) is not None


def to_int(value: str) -> int:
    """Read an integer; raises NacosError (400) in the words of Java's NumberFormatException."""
    if not is_int(value):
        raise invalid(f'For input string: "{value}"')
    return int(value)


def to_float(value: str) -> float:
    """Read a decimal number; raises NacosError (400) in the words of Java's NumberFormatException."""
    try:
        number = float(value)
    except ValueError:
        raise invalid(f'For input string: "{value}"') from None
    if number != number or number in (float("inf"), float("-inf")):
        raise invalid(f'For input string: "{value}"')
    return number


def to_bool(value: str) -> bool:
    """Read a flag as `BooleanUtils.toBoolean` does: what is not a known yes is a no (py 1.x sends `True`)."""
    return value.strip().lower() in {"true", "on", "yes", "y", "t", "1"}


def namespace_or_public(value: str | None) -> str:
    """A blank namespace is `public`: HTTP says so, and over gRPC SDKs mix both."""
    return value.strip() if value and value.strip() else PUBLIC


def tenant_of(value: str | None) -> str:
    """The configuration side's inner tenant: blank, `public` and `null` are one and the same."""
    text = (value or "").strip()
    return "" if text.lower() in {"", PUBLIC, "null"} else text


def grouped(group: str, name: str) -> str:
    """`group@@service`, the name HTTP speaks."""
    return f"{group}{SPLITTER}{name}"


def split_composed(service: str, group: str | None = None) -> tuple[str, str]:
    """The same as v2 makes it: the parameter's group comes first always, and the name ends at the next `@@`."""
    return group.strip() if group and group.strip() else DEFAULT_GROUP, service.split(SPLITTER)[0]


def split_nothing(service: str, group: str | None = None) -> tuple[str, str]:
    """The same for v3, which takes a name as it is."""
    return group.strip() if group and group.strip() else DEFAULT_GROUP, service


def check_grouped(service: str) -> None:
    """Refuse a name without its group inside (`NamingUtils.checkServiceNameFormat`); raises NacosError (400)."""
    if SPLITTER not in service:
        raise invalid(_ILLEGAL.format(_GROUPED))


def split_grouped(service: str, group: str | None = None) -> tuple[str, str]:
    """(group, plain name) of a service parameter; a group inside the name wins over the parameter."""
    if service.startswith(SPLITTER):
        raise Filtered(400, _UNNAMED.format("groupName can't be empty"))
    if SPLITTER in service:
        head, _, tail = service.partition(SPLITTER)
        if not tail:
            raise Filtered(400, _UNNAMED.format(_GROUPED))
        return head, tail
    return group.strip() if group and group.strip() else DEFAULT_GROUP, service
