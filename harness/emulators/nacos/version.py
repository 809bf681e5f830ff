"""Which server is emulated: the one place that says where the versions differ."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import SpecError


@dataclass(frozen=True, slots=True)
class Version:
    """A server version; `retires` says whether calls that it keeps behind compatibility switches answer 410."""

    number: str
    is_2: bool = False
    retires: bool = False

    @property
    def public_tenant(self) -> str:
        """What configuration calls say for the public namespace: 2.x keeps it as the empty string."""
        return "" if self.is_2 else "public"

    @property
    def all_ips(self) -> str:
        """How the member of a service's JSON is spelled."""
        return "allIPs" if self.is_2 else "allIps"


#: 3.0.3 with its three compatibility switches on, so that the calls of all versions are answered.
EVERYTHING = Version("3.0.3")
VERSIONS = {"": EVERYTHING, "3.0.3": Version("3.0.3", retires=True), "2.5.1": Version("2.5.1", is_2=True)}


def version_of(name: str | None) -> Version:
    """The version of this name, None for all calls of all versions; raises SpecError for an unknown one."""
    found = VERSIONS.get(name or "")
    if found is None:
        known = ", ".join(filter(None, VERSIONS))
        raise SpecError(f"no Nacos {name} can be emulated", where="version", mend=f"one of {known}")
    return found
