"""A client of APISIX's Admin API: resources as plain dicts, refusals as RemoteError with the gateway's own words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from harness.clients.http import Connection
from harness.errors import RemoteError

Json = Any
Values = list[Any]

#: Kinds in the order in which they can be deleted: what refers comes before what is referred to.
DELETE_ORDER = (
    "routes",
    "stream_routes",
    "global_rules",
    "consumers",
    "consumer_groups",
    "plugin_configs",
    "services",
    "upstreams",
    "plugin_metadata",
    "protos",
    "ssls",
    "secrets",
)


class Resource(Protocol):
    """What `apply` takes: the compiled platform's resources are such."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def body(self) -> Mapping[str, Any]: ...


class ApisixClient:
    """The Admin API at `url` (http://host:9180) with an admin key."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = Connection(url)
        self._headers = {"X-API-KEY": key, "Content-Type": "application/json"}

    def request(self, method: str, path: str, body: Json = None) -> Json:
        """Any call below /apisix/admin; the answer's JSON, None without a body. Raises RemoteError with its words."""
        payload = None if body is None else json.dumps(body)
        answer = self._connection.checked(method, f"/apisix/admin/{path}", payload, self._headers)
        return answer.json() if answer.body else None

    def get(self, kind: str, id: str) -> Json:
        """The stored value of one resource. Raises RemoteError (404) when there is none."""
        return self.request("GET", _path(kind, id))["value"]

    def list(self, kind: str, **query: str | int) -> Values:
        """The values of all resources of a kind; `query` are the Admin API's own filters and paging."""
        answer = self.request("GET", kind + (f"?{urlencode(query)}" if query else ""))
        items = answer["list"] if isinstance(answer, dict) else answer
        return [item["value"] for item in items or []]

    def put(self, kind: str, id: str, body: Mapping[str, Any], *, ttl: int | None = None) -> Json:
        """Create or replace one resource; the value as stored. A `ttl` is in seconds."""
        # a consumer's and a credential's id stands in different places: the first is put under its username
        path = kind if kind == "consumers" else _path(kind, id)
        return self.request("PUT", path + (f"?ttl={ttl}" if ttl is not None else ""), body)["value"]

    def post(self, kind: str, body: Mapping[str, Any]) -> Json:
        """Create one resource with an id made by the gateway; the value as stored, its `id` in it."""
        return self.request("POST", kind, body)["value"]

    def patch(self, kind: str, id: str, body: Json, *, path: str = "") -> Json:
        """Change some members, or the one at the sub-path; the value as stored."""
        return self.request("PATCH", _path(kind, id) + (f"/{path}" if path else ""), body)["value"]

    def delete(self, kind: str, id: str, *, force: bool = False) -> None:
        """Delete one resource. Raises RemoteError (404) when there is none, (400) when another refers to it."""
        self.request("DELETE", _path(kind, id) + ("?force=true" if force else ""))

    def apply(self, resources: Iterable[Resource]) -> None:
        """Put each, in the order given."""
        for resource in resources:
            try:
                self.put(resource.kind, resource.id, resource.body)
            except RemoteError as error:
                raise RemoteError(
                    f"the gateway refused {resource.kind}/{resource.id}",
                    status=error.status,
                    body=error.body,
                    where=error.where,
                    mend="`harness render` shows the resource",
                ) from error

    def wipe(self) -> None:
        """Delete every resource of every kind that is served."""
        for kind in DELETE_ORDER:
            for value in self._all_of(kind):
                self.delete(kind, _id_of(kind, value), force=True)

    def _all_of(self, kind: str) -> Values:
        try:
            return self.list(kind)
        except RemoteError as error:
            if error.status in (400, 404):  # stream routes, when the stream proxy is off
                return []
            raise


def _path(kind: str, id: str) -> str:
    return f"{kind}/{quote(id, safe='/')}"


def _id_of(kind: str, value: Mapping[str, Any]) -> str:
    return str(value["username"] if kind == "consumers" else value["id"])
