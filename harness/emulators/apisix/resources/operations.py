"""The five things one can do to a resource: get, post, put, patch, delete (apisix/admin/resource.lua)."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.etcd import EtcdError, Pair
from harness.emulators.apisix.resources import patching
from harness.emulators.apisix.resources.call import NO_BODY, Call, Outcome
from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused
from harness.emulators.apisix.schema.wording import text
from harness.emulators.apisix.store import Store

#: tries against other writers of the same key
TRIES = 10


class Crashed(Exception):
    """The real gateway's Lua raises an error here: nginx answers 500 with its page."""


class Operations:
    """The operations on one store."""

    def __init__(self, store: Store, desk: Desk, now: Callable[[], float] = time.time, *, v2: bool = False) -> None:
        self._store = store
        self._desk = desk
        self._now = now
        self._list = self._list_v2 if v2 else self._list_v3

    async def get(self, call: Call) -> Outcome:
        """One resource, or the list of its kind ({"list": …} still unfiltered)."""
        name = call.name
        if name is None:
            return await self._list(call)
        pair = await self._store.read(call.key(name))
        if pair is None:
            raise _not_found()
        return Outcome(200, self._shown(call.kind, pair))

    async def _list_v3(self, call: Call) -> Outcome:
        pairs = await self._store.below(call.directory)
        if not pairs:
            raise _not_found()
        skip = len(self._store.prefix)
        items = [
            self._shown(call.kind, pair) for pair in pairs if not pair.key.endswith("/") and call.lists(pair.key[skip:])
        ]
        if call.kind.directory == "graphql_cost_decorations" and not items:
            raise _not_found()
        return Outcome(200, {"list": items})

    async def _list_v2(self, call: Call) -> Outcome:
        """All below the directory, sub-resources too and nothing decrypted: v3 alone looks at what a list holds."""
        pairs = await self._store.below(call.directory)
        if not pairs:
            raise _not_found()
        items = [_as_stored(pair) for pair in pairs if not pair.key.endswith("/")]
        where = {"directory": self._store.prefix + call.directory, "placeholder": len(items) < len(pairs)}
        return Outcome(200, {"list": items, **where})

    def _shown(self, kind: Kind, pair: Pair) -> dict[str, Any]:
        shown = _as_stored(pair)
        value = shown["value"]
        if isinstance(value, dict):
            if kind.directory == "ssls":
                value.pop("key", None)
                value.pop("keys", None)
            else:
                self._reveal(kind, value)
        return shown

    def _reveal(self, kind: Kind, value: dict[str, Any]) -> None:
        """Plugins' fields are shown in plain; keys of certificates never."""
        plugins = {value.get("id"): value} if kind.plugin_role == "metadata" else value.get("plugins")
        self._desk.plugins.decrypt(plugins, self._desk.keyring, kind.plugin_role)

    async def post(self, call: Call) -> Outcome:
        """Store under an id made from the next revision."""
        _check_supported(call, "post")
        conf = _given(call)
        if call.path or (isinstance(conf, dict) and _id_in(conf) is not None):
            raise Refused(f"wrong {call.kind.label} id, do not need it")
        _check_forbidden(conf)
        await call.kind.bind(None, conf, call.parent, self._desk)
        checked = deepcopy(conf)
        await call.kind.check(None, checked, self._desk, Occasion(parent=call.parent))
        conf = _object(conf)
        call.kind.encrypt(conf, self._desk)
        self._stamp(conf, None)
        _, revision = await self._store.etcd.put(f"{self._store.prefix}/gen_id", b"1")
        conf["id"] = f"{revision:020d}"
        key = call.key(conf["id"])
        await self._store.swap(key, conf, None, ttl=call.ttl, prepared=_for_the_plane(call.kind, checked, conf))
        return Outcome(201, {"key": self._store.prefix + key, "value": conf})

    async def put(self, call: Call) -> Outcome:
        """Create or replace; the time of creation is kept."""
        _check_supported(call, "put")
        name = call.name
        manager = ""
        if call.kind.directory == "secrets":
            if name is None or "/" not in name:
                raise Crashed
            manager = name.partition("/")[0]
        conf = _given(call)
        name, conf = _identified(call.kind, name, conf, need_id=True)
        _check_forbidden(conf)
        await call.kind.bind(name, conf, call.parent, self._desk)
        checked = deepcopy(conf)
        await call.kind.check(name, checked, self._desk, Occasion(manager=manager, parent=call.parent))
        if call.kind.directory == "plugin_metadata":
            conf["id"] = name
        call.kind.encrypt(conf, self._desk)
        key = call.key(call.kind.key_of(name, conf))
        if call.kind.directory == "credentials":
            await self._check_consumer(call.parent)
        return await self._replace(call, key, conf, checked)

    async def _check_consumer(self, name: str) -> None:
        if await self._store.known(f"/consumers/{name}") is None:
            raise Refused("consumer not found", 404)

    async def _replace(self, call: Call, key: str, conf: dict[str, Any], checked: dict[str, Any]) -> Outcome:
        """Write unless another writer was first; then look again, since the time of creation must be kept."""
        before = self._store.remembered(key)
        for _ in range(TRIES):
            stamped = dict(conf)
            if call.kind.directory != "plugin_metadata":
                self._stamp(stamped, before)
            plain = _for_the_plane(call.kind, checked, stamped)
            revision, other = await self._store.swap(key, stamped, before, ttl=call.ttl, prepared=plain)
            if revision:
                if call.kind.directory == "services" and before is None:
                    await self._reclaim(key)
                answer = {"key": self._store.prefix + key, "value": stamped}
                return Outcome(200 if before else 201, answer)
            before = other
        raise EtcdError("value changed before overwritten")

    async def _reclaim(self, key: str) -> None:
        """A new service must not inherit what a namesake left below its key."""
        below = f"{key.removeprefix('/services/')}/graphql_cost_decorations/"
        if any(id_.startswith(below) for id_ in self._desk.table.get("services")):
            await self._store.delete(f"/services/{below}", prefix=True)

    async def patch(self, call: Call) -> Outcome:
        """Merge into the whole, or set what stands at a sub-path."""
        _check_supported(call, "patch")
        name, sub_path = call.split_sub_path()
        key = call.key(name)
        if call.body is NO_BODY:
            raise Refused("missing new configuration")
        if not sub_path and not isinstance(call.body, (dict, list)):
            raise Refused("invalid configuration")
        await call.kind.bind(name, call.body, call.parent, self._desk, patch=True)
        pair = await self._store.read(key)
        if pair is None:
            raise _not_found()
        value = lua_json.decode(pair.value or b"")
        self._desk.plugins.decrypt(value.get("plugins"), self._desk.keyring)
        value = self._patched(call.kind, value, sub_path, call.body)
        manager = name.partition("/")[0] if call.kind.directory == "secrets" else ""
        conf = _object(value) if isinstance(value, (dict, list)) else value
        _, conf = _identified(call.kind, name, conf, need_id=True)
        await call.kind.check(name, deepcopy(conf), self._desk, Occasion(manager=manager))
        call.kind.encrypt(conf, self._desk)
        revision, _ = await self._store.swap(key, conf, pair, ttl=call.ttl)
        if not revision:
            raise EtcdError("value changed before overwritten")
        return Outcome(200, {"key": self._store.prefix + key, "value": conf})

    def _patched(self, kind: Kind, value: dict[str, Any], sub_path: str, change: Any) -> Any:
        if sub_path:
            try:
                changed = patching.set_at(value, sub_path, change)
            except ValueError as error:
                raise Refused(str(error)) from error
        else:
            changed = patching.merge(value, _object(change))
        if isinstance(changed, dict) and (sub_path or _object(change).get("update_time") is None):
            changed["update_time"] = int(self._now())
            changed.setdefault("create_time", int(self._now()))
        return changed

    async def delete(self, call: Call) -> Outcome:
        """Delete; ?force=true skips the search for users."""
        _check_supported(call, "delete")
        name = call.name
        if name is None or (call.kind.directory == "secrets" and "/" not in name):
            raise Refused(f"missing {call.kind.label} id")
        if call.args.get("force") != "true":
            await call.kind.check_delete(name, self._desk)
        key = call.key(name)
        if call.kind.directory == "consumers":
            await self._store.delete(f"{key}/credentials/", prefix=True)
        deleted = await self._store.delete(key)
        if not deleted:
            raise _not_found()
        if call.kind.directory == "services":
            await self._store.delete(f"{key}/graphql_cost_decorations/", prefix=True)
        return Outcome(200, {"key": self._store.prefix + key, "deleted": str(deleted)})

    def _stamp(self, conf: dict[str, Any], before: Pair | None) -> None:
        now = int(self._now())
        created = now
        if before is not None and before.value is not None:
            previous = lua_json.decode(before.value)
            created = previous.get("create_time") or now if isinstance(previous, dict) else now
        conf["create_time"] = created
        conf["update_time"] = now


def _as_stored(pair: Pair) -> dict[str, Any]:
    return {
        "key": pair.key,
        "value": lua_json.decode(pair.value or b""),
        "createdIndex": pair.created,
        "modifiedIndex": pair.modified,
    }


def _for_the_plane(kind: Kind, checked: Any, stored: dict[str, Any]) -> dict[str, Any] | None:
    """The copy that the check filled with defaults, still in plain; None where a key may have come encrypted."""
    plain = _object(checked)
    upstream = plain.get("upstream")
    if kind.directory == "ssls" or "tls" in plain or (isinstance(upstream, dict) and "tls" in upstream):
        return None
    for name in ("create_time", "update_time"):
        if name in stored:
            plain[name] = stored[name]
    return plain


def _not_found() -> Refused:
    return Refused("Key not found", 404, "message")


def _check_supported(call: Call, method: str) -> None:
    if method in call.kind.unsupported:
        raise Refused(f"not supported `{method.upper()}` method for {call.kind.label}", 405)


def _given(call: Call) -> Any:
    """The body; what isn't a table makes the real gateway's Lua stumble."""
    if call.body is NO_BODY or call.body is False:
        raise Refused("missing configurations")
    if call.body == [] and isinstance(call.body, list):
        return {}  # Lua knows one empty table
    if isinstance(call.body, (dict, list)) or (isinstance(call.body, str) and not call.kind.has_id):
        return call.body
    raise Crashed


def _object(conf: Any) -> dict[str, Any]:
    """A list is a table with numbers for names to Lua, once a member is added to it."""
    if isinstance(conf, dict):
        return conf
    return {str(place): value for place, value in enumerate(conf, 1)}


def _id_in(conf: dict[str, Any]) -> Any:
    """`conf.id`, false being nothing to Lua."""
    id_ = conf.get("id")
    return None if id_ is False else id_


def _identified(kind: Kind, name: str | None, conf: Any, *, need_id: bool) -> tuple[Any, Any]:
    """The id, from the path or else from the body, and the body with it."""
    if not kind.has_id:
        return name, conf if isinstance(conf, str) or conf else {}
    if not isinstance(conf, (dict, list)):
        raise Crashed
    conf = _object(conf)
    given = _id_in(conf)
    id_ = name if name is not None else given
    if id_ is None:
        raise Refused(f"missing {kind.label} id")
    if given is not None and text(given) != text(id_):
        raise Refused(f"wrong {kind.label} id")
    conf["id"] = id_
    return id_, conf


def _check_forbidden(conf: Any) -> None:
    """create_time and update_time are not for the client to set (two blanks in the message, as there)."""
    if not isinstance(conf, dict):
        return
    for place, part in (("", conf), ("upstream.", conf.get("upstream")), ("plugins.", conf.get("plugins"))):
        for name in ("create_time", "update_time"):
            if (isinstance(part, dict) and part.get(name) not in (None, False)) or _has_null(part, name):
                raise Refused(f"the property is forbidden:  {place}{name}")


def _has_null(part: Any, name: str) -> bool:
    """The JSON null is a value to Lua."""
    return isinstance(part, dict) and name in part and part[name] is None
