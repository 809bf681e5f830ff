"""The Admin API of the standalone mode: one resource, the whole configuration (apisix/admin/standalone.lua)."""

from __future__ import annotations

from typing import Any

import yaml

from harness.clock import Clock, SystemClock
from harness.emulators.apisix import lua_json
from harness.emulators.apisix.access import Access, Unauthorised, refused_key
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.resources import configs
from harness.emulators.apisix.resources.kind import Refused
from harness.emulators.apisix.resources.operations import Crashed
from harness.emulators.apisix.resources.prepare import make_desk
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.standalone import StandaloneTable
from harness.emulators.apisix.store import KINDS

PATH = "/apisix/admin/configs"
_MODIFIED = "X-Last-Modified"
_DIGEST = "X-Digest"


def make_standalone_admin(table: StandaloneTable, settings: Settings, clock: Clock | None = None) -> App:
    """The Admin API that replaces a table's content."""
    return StandaloneAdmin(table, settings, clock or SystemClock()).answer


class StandaloneAdmin:
    """The configuration as it was last given, with its digest and the versions of its kinds."""

    def __init__(self, table: StandaloneTable, settings: Settings, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._access = Access(settings)
        self._desk = make_desk(table, settings)
        self._held: dict[str, Any] | None = None

    async def answer(self, request: Request) -> Response:
        """Any request."""
        early = self._access.early(request)
        if early is not None:
            return early
        try:
            if (request.method, request.path) == ("POST", f"{PATH}/validate"):
                self._access.check(request)
                return await self._validate(request)
            if request.path != PATH or request.method not in ("GET", "PUT", "HEAD"):
                return self._access.missing()
            self._access.check(request)
            return await self._put(request) if request.method == "PUT" else self._get(request)
        except Unauthorised as error:
            return self._access.json(401, refused_key(error))
        except Refused as refused:
            return self._access.json(refused.status, refused.body)
        except Crashed:
            return self._access.crashed()

    async def _validate(self, request: Request) -> Response:
        found = await configs.problems(configs.read(request), self._desk, indexed=True)
        if found:
            return self._access.json(400, {"error_msg": "Configuration validation failed", "errors": found})
        return self._access.json(200, {})

    async def _put(self, request: Request) -> Response:
        digest = request.headers.get("x-digest")
        if not digest:
            raise Refused("missing digest header")
        data = configs.read(request, limit=None, guarded=False)
        if self._held is not None and self._held[_DIGEST] == digest:
            return self._access.answer(204, b"", ())
        reason = await configs.first_problem(data, self._desk)
        if reason is not None:
            raise Refused(reason)
        configuration = self._merged(data if isinstance(data, dict) else {})
        self._held = {**configuration, _MODIFIED: int(self._clock.time()), _DIGEST: digest}
        self._table.replace(configuration, {kind: configuration[f"{kind}_conf_version"] for kind in KINDS})
        return self._access.answer(202, b"", self._metadata())

    def _merged(self, data: dict[str, Any]) -> dict[str, Any]:
        """A kind whose version is not raised stays as it is; one without a version is taken, its version raised."""
        held = self._held or {}
        merged: dict[str, Any] = {}
        for kind in KINDS:
            member = f"{kind}_conf_version"
            version, given = held.get(member, 0), data.get(member)
            if given is not None and given < version:
                raise Refused(f"{member} must be greater than or equal to ({version})")
            merged[member] = version + 1 if given is None else given
            items = held.get(kind) if merged[member] == version else data.get(kind)
            if items:
                merged[kind] = items
        return merged

    def _get(self, request: Request) -> Response:
        shown = self._held or {f"{kind}_conf_version": 0 for kind in KINDS}
        if request.method == "HEAD":
            return self._access.answer(200, b"", self._metadata())
        if (request.headers.get("accept") or "").startswith("application/yaml"):
            body = yaml.safe_dump(shown, sort_keys=False).strip().encode()
            return self._access.answer(200, body, self._metadata(), kind="application/yaml")
        return self._access.answer(200, lua_json.encode(shown), self._metadata())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        if self._held is None:
            return ()
        return ((_MODIFIED, str(self._held[_MODIFIED])), (_DIGEST, str(self._held[_DIGEST])))
