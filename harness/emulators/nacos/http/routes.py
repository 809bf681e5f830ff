"""What a route is, and what its handler gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.domain import Domain
from harness.emulators.nacos.http.message import Request, Response, as_json

if TYPE_CHECKING:
    from harness.emulators.nacos.site import Site


class Family(Enum):
    """How an API family words its errors."""

    NAMING = "the bare message as text"
    CONFIG = "caused: message;"
    ACCOUNTS = "as CONFIG in 2.x, nothing in 3.x"
    CONSOLE_ACCOUNTS = "as CONFIG in 2.x, by the console's own port"
    REST = "the RestResult envelope of the v1 console"
    RESULT = "the envelope of v2 and v3"


class Call(NamedTuple):
    """One HTTP request as a handler sees it; `user` is blank where auth is off."""

    site: Site
    request: Request
    user: str

    @property
    def domain(self) -> Domain:
        """The state behind all transports."""
        return self.site.domain

    def rest_result(self, data: Any, message: str | None = None, code: int = 200) -> Response:
        """The envelope of v1's console, configuration and auth calls; 3.x tells `noRight` in it as well."""
        envelope = {"code": code, "message": message, "data": data}
        return as_json(envelope if self.domain.version.is_2 else {**envelope, "noRight": False})


Run = Callable[[Call], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the registry. Of several on one path the first whose `when` parameters all fit is taken.

    `action` is `r` or `w`, blank for calls that need no permission.
    """

    method: str
    path: str
    run: Run
    family: Family
    action: str = ""
    resource: Callable[[Request], Resource] | None = None
    when: Mapping[str, str] = field(default_factory=dict)

    def fits(self, request: Request) -> bool:
        """Whether the request has the parameters that choose this route; `*` means any value."""
        return all(
            request.get(name) == value or (value == "*" and bool(request.get(name)))
            for name, value in self.when.items()
        )


def naming_resource(request: Request) -> Resource:
    """What a naming call touches."""
    service = request.get("serviceName")
    group, name = names.split_grouped(service, request.get("groupName")) if service else ("", "")
    return Resource(request.get("namespaceId"), group, "naming", name)


def own_resource(request: Request) -> Resource:
    """What everybody may touch who has logged in."""
    return Resource("", "", "own", request.path)


def console_resource(request: Request) -> Resource:
    """What only administrators touch."""
    return Resource("", "", "console", request.path)
