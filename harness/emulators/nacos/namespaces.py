"""Namespaces: created, renamed, counted; naming and configuration do not ask whether one exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import NacosError, invalid

_ID = re.compile(r"[\w-]+", re.ASCII)
_NAME = re.compile(r"[^@#$%^&*]+")


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace."""

    id: str
    name: str
    description: str = ""


PUBLIC = Namespace(names.PUBLIC, names.PUBLIC, "Default Namespace")


class Taken(NacosError):
    """There is such a namespace already; in 3.x's words."""

    def __init__(self, namespace_id: str) -> None:
        self.id = namespace_id
        default = "is default namespace id and already exist" if namespace_id == names.PUBLIC else "already exist"
        super().__init__(400, f"namespaceId [{namespace_id}] {default}.", 22002)


class Namespaces:
    """All namespaces by id. `written` is called after every change."""

    def __init__(self) -> None:
        self.written: Callable[[], None] = lambda: None
        self.all: dict[str, Namespace] = {PUBLIC.id: PUBLIC}

    def create(self, namespace_id: str, name: str, description: str) -> Namespace:
        """Create one, with a random id when none is given; raises Taken (400, 22002)."""
        wanted = namespace_id.strip() or _random_id()
        if wanted in self.all:
            raise Taken(wanted)
        created = self.all[wanted] = Namespace(wanted, name, description)
        self.written()
        return created

    def update(self, namespace_id: str, name: str, description: str) -> None:
        """Rename one; an unknown or the public one stays as it is."""
        if namespace_id in self.all and namespace_id != names.PUBLIC:
            self.all[namespace_id] = Namespace(namespace_id, name, description)
            self.written()

    def delete(self, namespace_id: str) -> None:
        """Delete one, known or not; what lives in it stays."""
        if namespace_id != names.PUBLIC:
            self.all.pop(namespace_id, None)
            self.written()

    def get(self, namespace_id: str) -> Namespace:
        """One namespace; raises NacosError (404, 22001)."""
        found = self.all.get(names.namespace_or_public(namespace_id))
        if found is None:
            raise NacosError(404, f"namespaceId [ {namespace_id} ] not exist", 22001)
        return found


def _random_id() -> str:
    import uuid  # seldom needed, and importing it takes 4 ms of the start

    return str(uuid.uuid4())


def check_id(namespace_id: str) -> None:
    """Refuse a bad id; raises NacosError (400, 22000)."""
    if not _ID.fullmatch(namespace_id):
        raise invalid(f"namespaceId [{namespace_id}] mismatch the pattern", code=22000)
    if len(namespace_id) > 128:
        raise invalid("too long namespaceId, over 128", code=22000)


def check_name(name: str) -> None:
    """Refuse a bad name; raises NacosError (400, 22000)."""
    if not _NAME.fullmatch(name):
        raise invalid(f"namespaceName [{name}] contains illegal char", code=22000)
