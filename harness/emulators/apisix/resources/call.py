"""One request on one kind of resource, and which keys of etcd it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.emulators.apisix.resources.kind import Kind, Refused

#: no body at all, which isn't the same as the JSON null
NO_BODY: Any = object()

#: kinds kept below another kind's resource
OWNERS = {"credentials": "consumers", "graphql_cost_decorations": "services"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A status and the JSON to answer."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked: `path` are the segments behind the kind, `parent` the owner of a sub-resource."""

    kind: Kind
    path: tuple[str, ...] = ()
    body: Any = NO_BODY
    args: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""

    @property
    def ttl(self) -> float | None:
        """Seconds that the resource shall live."""
        value = self.args.get("ttl")
        return float(value) if isinstance(value, str) else None

    @property
    def name(self) -> str | None:
        """The id in the path; a secret's has its manager in front."""
        if self.kind.directory == "secrets":
            return "/".join(self.path[:2]) if len(self.path) > 1 else None
        return self.path[0] if self.path else None

    def split_sub_path(self) -> tuple[str, str]:
        """The id, and the path within the resource. Raises Refused without an id."""
        count = 2 if self.kind.directory == "secrets" else 1
        if len(self.path) < count:
            raise Refused("no secret id" if self.path else f"missing {self.kind.label} id")
        below = "" if self.parent else "/".join(self.path[count:])
        return "/".join(self.path[:count]), below

    @property
    def directory(self) -> str:
        """The key that all of this kind (and of this owner) start with."""
        owner = OWNERS.get(self.kind.directory)
        return f"/{owner}/{self.parent}/{self.kind.directory}" if owner else f"/{self.kind.directory}"

    def key(self, name: str) -> str:
        """The key of the resource with that id."""
        return f"{self.directory}/{name}"

    def lists(self, key: str) -> bool:
        """Whether a key found under the directory's is a resource of this kind: sub-resources are there too."""
        below = key.removeprefix(self.directory)
        if not below.startswith("/"):
            return False
        return self.kind.directory not in OWNERS.values() or re.fullmatch(r"/[^/]+", below) is not None
