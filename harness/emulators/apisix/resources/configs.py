"""A whole configuration in one body: checked as a batch (apisix/admin/config_validate.lua)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused
from harness.emulators.apisix.resources.operations import Crashed
from harness.emulators.apisix.resources.registry import BY_DIRECTORY
from harness.emulators.apisix.schema.wording import text, type_name
from harness.emulators.apisix.store import KINDS

#: 1.5 MiB, as for any body of the Admin API
LARGEST_BODY = 1_572_864


def read(request: Request, limit: int | None = LARGEST_BODY, *, guarded: bool = True) -> Any:
    """The configuration in a request, JSON or YAML, of at most `limit` bytes. Raises Refused.

    Where it is not `guarded` against them, errors of YAML make the real gateway's Lua stumble: Crashed.
    """
    size = len(request.body)
    if limit is not None and size > limit:
        too_large = f"request size {size} is greater than the maximum size {limit} allowed"
        raise Refused(f"invalid request body: {too_large}")
    if not request.body:
        raise Refused("invalid request body: empty request body")
    try:
        if (request.headers.get("content-type") or "").startswith("application/yaml"):
            return _yaml(request.body, guarded)
        return lua_json.decode(request.body)
    except ValueError as error:
        raise Refused(f"invalid request body: {error}") from error


def _yaml(raw: bytes, guarded: bool) -> Any:
    try:
        data = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise (ValueError("invalid yaml request body") if guarded else Crashed) from error
    if not isinstance(data, (dict, list)):
        raise ValueError("invalid yaml request body")
    return data


async def problems(data: Any, desk: Desk, *, indexed: bool = False) -> list[dict[str, Any]]:
    """Everything that is wrong with the configuration, in the order of the kinds. References are not looked up.

    `indexed` items may bring a modifiedIndex of their own.
    """
    if not isinstance(data, dict):
        data = {}
    found: list[dict[str, Any]] = []
    for directory in KINDS:
        version = data.get(f"{directory}_conf_version")
        if version not in (None, False) and (isinstance(version, bool) or not isinstance(version, (int, float))):
            error = f"{directory}_conf_version must be a number, got {type_name(version)}"
            found.append({"resource_type": directory, "error": error})
        items = data.get(directory)
        if isinstance(items, list):
            found.extend(await _items(directory, items, desk, indexed))
    return found


async def first_problem(data: Any, desk: Desk) -> str | None:
    """The first thing that is wrong, in fewer words; items may bring a modifiedIndex of their own."""
    if not isinstance(data, dict):
        return None
    for directory in KINDS:
        version = data.get(f"{directory}_conf_version")
        if version not in (None, False) and (isinstance(version, bool) or not isinstance(version, (int, float))):
            return f"{directory}_conf_version must be a number"
        items = data.get(directory)
        seen: set[str] = set()
        for item in items if isinstance(items, list) else ():
            reason = await item_problem(directory, _without_index(item), desk) or duplicate(directory, item, seen)
            if reason is not None:
                return reason
    return None


def _without_index(item: Any) -> Any:
    return {name: value for name, value in item.items() if name != "modifiedIndex"} if isinstance(item, dict) else item


async def _items(directory: str, items: list[Any], desk: Desk, indexed: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        place = {"resource_type": directory, "resource_id": _name(item), "index": index}
        reason = await item_problem(directory, _without_index(item) if indexed else item, desk)
        if reason is not None:
            found.append({**place, "error": reason})
        reason = duplicate(directory, item, seen)
        if reason is not None:
            found.append({**place, "error": reason})
    return found


def _name(item: Any) -> Any:
    return (item.get("id") or item.get("username") or "") if isinstance(item, dict) else ""


async def item_problem(directory: str, item: Any, desk: Desk) -> str | None:
    """What is wrong with one resource, or None."""
    item = {} if item == [] else item  # Lua knows one empty table
    id_ = item.get("id") if isinstance(item, dict) else None
    kind: Kind | None = BY_DIRECTORY.get(directory)
    manager = ""
    if directory == "consumers" and "/credentials/" in text(id_):
        kind = BY_DIRECTORY["credentials"]
    if directory == "secrets":
        manager, slash, _ = text("nil" if id_ is None else id_).partition("/")
        if not slash:
            return f"invalid secret id: {manager}"
    if kind is None:
        return None
    try:
        await kind.check(id_, deepcopy(item), desk, Occasion(manager=manager, references=False))
    except Refused as refused:
        return str(refused)
    return None


def duplicate(directory: str, item: Any, seen: set[str]) -> str | None:
    """Whether an item has the id of an earlier one."""
    if not isinstance(item, dict):
        return None
    id_, label = item.get("id"), "id"
    if directory == "consumers":
        label = "credential id" if id_ else "username"
        id_ = id_ or item.get("username")
    if id_ is None:
        return None
    if text(id_) in seen:
        return f"found duplicate {label} {text(id_)} in {directory}"
    seen.add(text(id_))
    return None
