"""Which image plays a component's part: an override, a mirror of the official one, or one made here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.engines.images.pins import PINS
from harness.errors import SpecError

#: A registry that answers for all the others, such as `mirror.example:5000/proxy`.
REGISTRY_PREFIX = "HARNESS_REGISTRY_PREFIX"

_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+(?::\d+)?|localhost(?::\d+)?|[A-Za-z0-9-]+:\d+)/)?"
    rf"(?P<path>{_NAME}(?:/{_NAME})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Reference:
    """An image's name in parts; `registry` is "" for Docker's own, and one of tag and digest is there."""

    path: str
    registry: str = ""
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        registry = f"{self.registry}/" if self.registry else ""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{registry}{self.path}{tag}{digest}"

    def mirrored(self, prefix: str) -> Reference:
        """The same image in a mirror: its registry goes, its path stays (`python` is `library/python`)."""
        if not prefix:
            return self
        host, _, folder = prefix.strip("/").partition("/")
        own = f"library/{self.path}" if "/" not in self.path and not self.registry else self.path
        return replace(self, registry=host, path=f"{folder}/{own}" if folder else own)


@dataclass(frozen=True)
class Candidate:
    """An image that may play a component's part: `origin` is override, official, offline or emulated."""

    reference: Reference
    origin: str

    @property
    def local_only(self) -> bool:
        """Whether it is made here and can't be pulled."""
        return self.origin in ("offline", "emulated")


def parse(text: str, where: str = "") -> Reference:
    """A reference with a tag or a digest. Raises SpecError for anything else, `latest` above all."""
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise SpecError(f"{text!r} is no image reference", where=where, mend="write registry/name:tag or name@sha256:…")
    parts = {name: part or "" for name, part in match.groupdict().items()}
    if parts["tag"] == "latest" or not (parts["tag"] or parts["digest"]):
        raise SpecError(
            f"{text!r} names no version: what it is today it may not be tomorrow",
            where=where,
            mend="write a tag (name:1.2.3) or, better, a digest (name@sha256:…)",
        )
    registry = "" if parts["registry"] == "docker.io" else parts["registry"]
    return Reference(parts["path"], registry, parts["tag"], parts["digest"])


def variable(component: str) -> str:
    """The environment variable that overrides a component's image: HARNESS_NACOS_IMAGE for nacos."""
    return f"HARNESS_{component.upper().replace('-', '_')}_IMAGE"


def candidates(component: str, environment: Mapping[str, str] = os.environ) -> tuple[Candidate, ...]:
    """The images that may play a part, best first; an override is the only one.

    Raises KeyError for an unknown component, SpecError for a bad override or prefix.
    """
    pin = PINS[component]
    if override := environment.get(variable(component)):
        return (Candidate(parse(override, where=variable(component)), "override"),)
    official = parse(pin.official).mirrored(_prefix(environment))
    own = (("offline", pin.offline), ("emulated", pin.emulated))
    return (Candidate(official, "official"), *(Candidate(parse(name), origin) for origin, name in own if name))


def _prefix(environment: Mapping[str, str]) -> str:
    prefix = environment.get(REGISTRY_PREFIX, "").strip("/")
    if (prefix and _REFERENCE.fullmatch(f"{prefix}/name:1") is None) or "://" in prefix:
        raise SpecError(
            f"{prefix!r} is no registry", where=REGISTRY_PREFIX, mend="write host[:port][/folder], without https://"
        )
    return prefix
