"""What a kind of resource is to the Admin API: where it lives, its schema, what else must hold, what may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from harness.emulators.apisix.encryption import Keyring
from harness.emulators.apisix.etcd import EtcdError
from harness.emulators.apisix.resources.duplicates import AuthKeys
from harness.emulators.apisix.resources.plugins import Catalogue
from harness.emulators.apisix.schema.common import Schema
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.schema.wording import text
from harness.emulators.apisix.store import Table

#: the schema of kinds whose checks depend on more than the kind
ANY: Schema = {}


class Refused(Exception):
    """The request can't be done: a status and the answer's body."""

    def __init__(self, message: str, status: int = 400, member: str = "error_msg") -> None:
        self.status = status
        self.body = {member: message}
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the checks of a kind work with. `source` answers for etcd where references are looked up."""

    table: Table
    plugins: Catalogue
    keyring: Keyring
    auth_keys: AuthKeys
    streams: Catalogue
    #: xrpc.protocols of config.yaml
    protocols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        held = self.table.get("plugin_metadata")
        self.plugins.metadata = lambda name: held[name].value if name in held else {}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Circumstances of one check: `parent` names the consumer or service a sub-resource belongs to."""

    manager: str = ""
    parent: str = ""
    references: bool = True


ORDINARY = Occasion()


class Kind:
    """Base of all kinds; one subclass and one object each, in a file of its own."""

    #: the directory in etcd and the path of the Admin API
    directory: ClassVar[str]
    #: how messages call it
    label: ClassVar[str]
    #: its name in /schema/<name>
    schema_name: ClassVar[str]
    schema: ClassVar[Schema]
    #: methods answered with 405
    unsupported: ClassVar[tuple[str, ...]] = ()
    #: False: the key comes from the body (consumers) or is a plugin's name
    has_id: ClassVar[bool] = True
    #: members that ?filter= may name
    filters: ClassVar[tuple[str, ...]] = ()
    #: consumer | metadata: which schema of a plugin counts
    plugin_role: ClassVar[str] = ""

    @cached_property
    def validator(self) -> Validator:
        """The compiled schema."""
        return Validator(self.schema)

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        """Raise Refused unless `conf` (a copy; defaults are filled in) may be stored under `id_`."""
        self.check_schema(conf)

    async def bind(self, id_: Any, conf: Any, parent: str, desk: Desk, *, patch: bool = False) -> None:
        """Tie a sub-resource to its owner before it is checked; raise Refused when that can't be."""

    def check_schema(self, conf: Any) -> None:
        """Raise Refused with the schema's words."""
        reason = self.validator.check(conf)
        if reason is not None:
            raise Refused(f"invalid configuration: {reason}")

    def key_of(self, id_: Any, conf: Any) -> str:
        """The id under which it is stored: its own, or the one in the body."""
        return text(id_)

    async def check_delete(self, id_: str, desk: Desk) -> None:
        """Raise Refused while others refer to it."""

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        """Encrypt in place what is kept encrypted."""


def check_plugins(conf: dict[str, Any], desk: Desk) -> None:
    """Raise Refused for the first plugin that is unknown or wrongly configured."""
    reason = desk.plugins.check(conf.get("plugins") or {})
    if reason is not None:
        raise Refused(reason)


#: member of a resource → (directory, what messages call it)
REFERENCES = {
    "upstream_id": ("upstreams", "upstream"),
    "service_id": ("services", "service"),
    "plugin_config_id": ("plugin_configs", "plugin config"),
    "group_id": ("consumer_groups", "consumer group"),
    "client_cert_id": ("ssls", "ssl"),
}


async def check_reference(conf: dict[str, Any], member: str, desk: Desk) -> bytes | None:
    """The raw value that `conf[member]` refers to, None without one. Raises Refused when there is no such resource."""
    id_ = conf.get(member)
    if id_ is None:
        return None
    directory, noun = REFERENCES[member]
    failed = f"failed to fetch {noun} info by {noun} id [{text(id_)}]"
    try:
        pair = await desk.table.known(f"/{directory}/{text(id_)}")
    except EtcdError as error:
        raise Refused(f"{failed}: {error}") from error
    if pair is None:
        raise Refused(f"{failed}, response code: 404")
    return pair.value


async def check_references(conf: dict[str, Any], members: Sequence[str], desk: Desk) -> None:
    """Raise Refused for the first reference that leads nowhere."""
    for member in members:
        await check_reference(conf, member, desk)


def users(desk: Desk, directory: str, member: str, id_: str) -> list[str]:
    """The ids of the resources in `directory` whose `member` is `id_`."""
    return [
        entry.id
        for entry in desk.table.get(directory).values()
        if entry.value.get(member) is not None and text(entry.value[member]) == id_
    ]
