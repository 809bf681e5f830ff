"""A client of Nacos' HTTP API v1, of v3 where v1 is gone: configuration, naming, namespaces; it logs in by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from harness.clients.http import Answer, Connection
from harness.errors import RemoteError

Json = Any

PUBLIC = "public"
DEFAULT_GROUP = "DEFAULT_GROUP"


#: Where a fresh server is given its first password: 3.x, then 2.x from 2.4 on.
FIRST_PASSWORD = ("/nacos/v3/auth/user/admin", "/nacos/v1/auth/users/admin")


def set_first_password(url: str, password: str) -> None:
    """Give a fresh server the password of its user `nacos`; one that has one is left alone.

    Raises RemoteError when it is refused, OSError when the server can't be reached.
    """
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection = Connection(url)
    for path in FIRST_PASSWORD:
        answer = connection.ask("POST", path, urlencode({"password": password}), form)
        if answer.status not in (404, 405, 501):
            break
    if answer.status >= 400 and answer.status != 409:
        raise RemoteError("Nacos refused its first password", status=answer.status, body=answer.text, where=url)


class NacosNamespace(Protocol):
    """A namespace to create."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...


class NacosConfig(Protocol):
    """A configuration to publish."""

    @property
    def namespace(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def data_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def content(self) -> str: ...


class NacosClient:
    """Nacos at `url` (http://host:8848); with a `username` it logs in and renews its token when it is used up."""

    def __init__(self, url: str, *, username: str = "", password: str = "") -> None:
        self._connection = Connection(url)
        self._credentials = {"username": username, "password": password} if username else {}
        self._token = ""
        self._renew_at = 0.0

    # --- configuration

    def publish(
        self,
        data_id: str,
        content: str,
        *,
        group: str = DEFAULT_GROUP,
        namespace: str = PUBLIC,
        type: str = "text",
        cas_md5: str = "",
    ) -> None:
        """Publish a configuration; `cas_md5` only over the content with that MD5. Raises RemoteError when refused."""
        fields = {"dataId": data_id, "group": group, "tenant": _tenant(namespace), "content": content, "type": type}
        self._ask("POST", "/v1/cs/configs", form=fields, headers={"casMd5": cas_md5} if cas_md5 else {})

    def config(self, data_id: str, *, group: str = DEFAULT_GROUP, namespace: str = PUBLIC) -> str | None:
        """A configuration's content, or None when there is none."""
        query = {"dataId": data_id, "group": group, "tenant": _tenant(namespace)}
        return self._found(lambda: self._ask("GET", "/v1/cs/configs", query))

    def remove_config(self, data_id: str, *, group: str = DEFAULT_GROUP, namespace: str = PUBLIC) -> None:
        """Delete a configuration; one that isn't there is fine."""
        self._ask("DELETE", "/v1/cs/configs", {"dataId": data_id, "group": group, "tenant": _tenant(namespace)})

    def configs(self, *, namespace: str = PUBLIC) -> dict[tuple[str, str], tuple[str, str]]:
        """Every configuration of a namespace: (group, data ID) → (content, type); at most 500."""
        pages = {"search": "blur", "dataId": "", "pageNo": "1", "pageSize": "500"}
        v1 = ("/v1/cs/configs", {**pages, "group": "", "tenant": _tenant(namespace)})
        v3 = ("/v3/admin/cs/config/list", {**pages, "groupName": "", "namespaceId": namespace})
        answer = self._either(lambda: self._ask("GET", *v1), lambda: self._ask("GET", *v3)).json()
        found = answer.get("data", answer)["pageItems"] or []
        return {
            (group, item["dataId"]): (
                self.config(item["dataId"], group=group, namespace=namespace) or "",
                item.get("type") or "text",
            )
            for item in found
            for group in (item.get("group") or item["groupName"],)
        }

    def _either(self, old: Callable[[], Answer], new: Callable[[], Answer]) -> Answer:
        """By API v1, or by v3 where the server has left it behind: 3.x answers 410 to what its console used."""
        try:
            return old()
        except RemoteError as error:
            if error.status not in (404, 410):
                raise
            return new()

    def _found(self, ask: Callable[[], Answer]) -> str | None:
        try:
            answer = ask()
        except RemoteError as error:
            if error.status == 404:
                return None
            raise
        return answer.text

    # --- naming

    def register(
        self,
        service: str,
        ip: str,
        port: int,
        *,
        group: str = DEFAULT_GROUP,
        namespace: str = PUBLIC,
        metadata: Mapping[str, str] | None = None,
        ephemeral: bool = True,
        **more: str | float | bool,
    ) -> None:
        """Register an instance; an ephemeral one must be kept alive by `beat`. `more` are the API's own fields."""
        fields = _instance(service, ip, port, group, namespace, ephemeral)
        extra = {"metadata": json.dumps(dict(metadata or {})), **{name: _text(value) for name, value in more.items()}}
        self._ask("POST", "/v1/ns/instance", form={**fields, **extra})

    def deregister(
        self,
        service: str,
        ip: str,
        port: int,
        *,
        group: str = DEFAULT_GROUP,
        namespace: str = PUBLIC,
        ephemeral: bool = True,
    ) -> None:
        """Take an instance out; one that isn't there is fine."""
        self._ask("DELETE", "/v1/ns/instance", _instance(service, ip, port, group, namespace, ephemeral))

    def beat(self, service: str, ip: str, port: int, *, group: str = DEFAULT_GROUP, namespace: str = PUBLIC) -> Json:
        """One heart-beat of an ephemeral instance; the server's answer."""
        return self._ask("PUT", "/v1/ns/instance/beat", _instance(service, ip, port, group, namespace, True)).json()

    def instances(
        self, service: str, *, group: str = DEFAULT_GROUP, namespace: str = PUBLIC, healthy_only: bool = False
    ) -> list[Json]:
        """The enabled instances of a service, as Nacos writes them; none for an unknown service."""
        query = {
            "serviceName": service,
            "groupName": group,
            "namespaceId": namespace,
            "healthyOnly": _text(healthy_only),
        }
        hosts: list[Json] = self._ask("GET", "/v1/ns/instance/list", query).json()["hosts"]
        return hosts

    def services(self, *, group: str = DEFAULT_GROUP, namespace: str = PUBLIC) -> list[str]:
        """The names of a group's services, without the group; at most 1000."""
        query = {"pageNo": "1", "pageSize": "1000", "groupName": group, "namespaceId": namespace}
        names: list[str] = self._ask("GET", "/v1/ns/service/list", query).json()["doms"]
        return names

    # --- namespaces

    def create_namespace(self, id: str, name: str, description: str = "") -> bool:
        """Create a namespace; False when it is there already."""
        fields = {"customNamespaceId": id, "namespaceName": name, "namespaceDesc": description}
        answer = self._either(
            lambda: self._ask("POST", "/v1/console/namespaces", form=fields),
            lambda: self._ask("POST", "/v3/admin/core/namespace", form={**fields, "namespaceId": id}),
        )
        return answer.json() in (True,) or (isinstance(answer.json(), dict) and bool(answer.json()["data"]))

    def namespaces(self) -> dict[str, str]:
        """The namespaces' names by id; the one that is always there is "public", whatever the server's version."""
        found = self._either(
            lambda: self._ask("GET", "/v1/console/namespaces"),
            lambda: self._ask("GET", "/v3/admin/core/namespace/list"),
        ).json()["data"]
        return {space["namespace"] or PUBLIC: space["namespaceShowName"] for space in found}

    def delete_namespace(self, id: str) -> None:
        """Delete a namespace, not what is in it; one that isn't there is fine."""
        query = {"namespaceId": id}
        self._either(
            lambda: self._ask("DELETE", "/v1/console/namespaces", query),
            lambda: self._ask("DELETE", "/v3/admin/core/namespace", query),
        )

    def apply(self, namespaces: Iterable[NacosNamespace], configs: Iterable[NacosConfig]) -> None:
        """Create the namespaces and publish the configurations, in the order given."""
        for space in namespaces:
            self.create_namespace(space.id, space.name, space.description)
        for config in configs:
            where = {"group": config.group, "namespace": config.namespace}
            self.publish(config.data_id, config.content, type=config.type, **where)

    # --- the calls themselves

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        body = urlencode(form) if form else None
        fields = {**(headers or {}), **({"Content-Type": "application/x-www-form-urlencoded"} if form else {})}
        known = self._token
        try:
            return self._connection.checked(method, self._target(path, query), body, fields)
        except RemoteError as error:
            if error.status != 403 or not known:
                raise
            # a server that was started anew doesn't know the old token
            self._renew_at = 0.0
            return self._connection.checked(method, self._target(path, query), body, fields)

    def _target(self, path: str, query: Mapping[str, str] | None) -> str:
        asked = {**(query or {}), **self._access()}
        return f"/nacos{path}" + (f"?{urlencode(asked)}" if asked else "")

    def _access(self) -> dict[str, str]:
        """The token as a query parameter, as the 1.x SDKs send it."""
        if not self._credentials:
            return {}
        if time.monotonic() >= self._renew_at:
            self._log_in()
        return {"accessToken": self._token}

    def _log_in(self) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._connection.checked("POST", "/nacos/v1/auth/login", urlencode(self._credentials), form).json()
        self._token = answer["accessToken"]
        self._renew_at = time.monotonic() + answer["tokenTtl"] * 0.9


def _tenant(namespace: str) -> str:
    """Configuration names the public namespace by nothing at all."""
    return "" if namespace == PUBLIC else namespace


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _instance(service: str, ip: str, port: int, group: str, namespace: str, ephemeral: bool) -> dict[str, str]:
    named = {"serviceName": service, "groupName": group, "namespaceId": namespace}
    return {**named, "ip": ip, "port": str(port), "ephemeral": _text(ephemeral)}
