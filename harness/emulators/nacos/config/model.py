"""What configuration keeps: keys, entries, gray variants, history rows; frozen, and the rules of publishing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple

from harness.emulators.nacos.errors import NacosError, invalid

TYPES = ("text", "json", "xml", "yaml", "html", "properties", "toml", "unset")
#: The type of a draft that leaves an entry without one; a type that is not known is `text`.
UNTYPED = "<untyped>"
MAX_CONTENT = 10 * 1024 * 1024

_PARAM = re.compile(r"[0-9a-zA-Z\-_:.]+")
_TENANT = re.compile(r"[0-9a-zA-Z\-_.:]*")


class ConfigKey(NamedTuple):
    """The identity of a configuration; the public tenant is the empty string."""

    tenant: str
    group: str
    data_id: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a publisher hands in."""

    content: str
    type: str | None = None
    app_name: str = ""
    desc: str | None = None
    use: str | None = None
    effect: str | None = None
    schema: str | None = None
    tags: str | None = None
    encrypted_data_key: str = ""
    user: str = ""
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored configuration (or a gray or tagged variant of one). Times are ms since the epoch."""

    id: int
    key: ConfigKey
    content: str
    md5: str
    type: str | None
    app_name: str
    desc: str | None
    use: str | None
    effect: str | None
    schema: str | None
    tags: str | None
    encrypted_data_key: str
    create_user: str
    create_ip: str
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class Gray:
    """A beta variant: who asks from one of `ips` gets it."""

    entry: Entry
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A history row: the old content of an update or a delete, the new one of an insert.

    `variant` is `formal` or `gray`; a gray row has the name of the variant and what it applies to (ips, or a tag).
    """

    id: int
    operation: str
    entry: Entry
    user: str
    ip: str
    at: int
    variant: str = "formal"
    gray_name: str = ""
    gray_rule: str = ""


class Found(NamedTuple):
    """What a query gets: the entry, and whether it is the beta variant or one of a tag."""

    entry: Entry
    beta: bool = False
    tag: str = ""


def digest(content: str) -> str:
    """The md5 clients compare: lower-case hex over UTF-8."""
    return hashlib.md5(content.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def check_key(key: ConfigKey) -> None:
    """Refuse a key as `ParamUtils` does; raises NacosError (400)."""
    if not _PARAM.fullmatch(key.data_id) or len(key.data_id) > 256:
        raise invalid(f"invalid dataId : {key.data_id}", code=20008)
    if not _PARAM.fullmatch(key.group) or len(key.group) > 128:
        raise invalid(f"invalid group : {key.group}")
    check_tenant(key.tenant)


def check_tenant(tenant: str) -> None:
    """Refuse a tenant with bad characters or over 128 of them; raises NacosError (400)."""
    if not _TENANT.fullmatch(tenant) or len(tenant) > 128:
        raise invalid("invalid tenant", code=20001)


def check_content(content: str) -> None:
    """Refuse blank or too long content; raises NacosError (400)."""
    if not content.strip():
        raise invalid(f"content is blank : {content}")
    if len(content) > MAX_CONTENT:
        raise invalid(f"invalid content, over {MAX_CONTENT}")


class RefusedField(NacosError):
    """A describing field of a publication is too long."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail, 20002)


#: `ParamUtils.checkParam(configAdvanceInfo)`: field → longest value.
LONGEST = {"desc": 128, "use": 32, "effect": 32, "type": 32, "schema": 32768}
MAX_TAGS, MAX_TAG = 5, 64


def check_draft(draft: Draft) -> None:
    """Refuse describing fields as `ParamUtils` does; raises RefusedField (400)."""
    tags = (draft.tags or "").split(",")
    if len(tags) > MAX_TAGS:
        raise RefusedField(f"too much config_tags, over {MAX_TAGS}")
    if any(len(tag) > MAX_TAG for tag in tags):
        raise RefusedField(f"too long tag, over {MAX_TAG}")
    for name, longest in LONGEST.items():
        if len(getattr(draft, name) or "") > longest:
            raise RefusedField(f"too long {name}, over {longest}")


#: Characters of the tag of a variant.
LONGEST_TAG = 16


def check_tag(tag: str) -> None:
    """Refuse the tag of a variant that is too long or has bad characters; raises NacosError (400)."""
    if not _PARAM.fullmatch(tag):
        raise invalid(f"invalid tag : {tag}")
    if len(tag) > LONGEST_TAG:
        raise invalid(f"too long tag, over {LONGEST_TAG}")
