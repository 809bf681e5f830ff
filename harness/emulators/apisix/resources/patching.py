"""How PATCH changes a stored value (apisix/core/table.lua, merge and patch)."""

from __future__ import annotations

from typing import Any


def merge(value: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Merge in place: objects member by member, null removes, arrays (and empty objects) replace."""
    for name, new in change.items():
        if isinstance(new, (dict, list)):
            old = value.get(name)
            if isinstance(old, dict) and old and isinstance(new, dict) and new:
                merge(old, new)
            else:
                value[name] = new
        elif new is None:
            value.pop(name, None)
        else:
            value[name] = new
    return value


def set_at(value: dict[str, Any], sub_path: str, new: Any) -> Any:
    """Set what stands at "a/b/c", making objects on the way. Raises ValueError when something else is there."""
    *way, last = sub_path.split("/")
    place: Any = value
    for depth, name in enumerate(way, 1):
        if not isinstance(place, dict):
            raise ValueError(f"invalid sub-path: /{'/'.join(way[:depth])}")
        if name not in place:
            place[name] = {}
        place[name] = _as_object(place[name])
        place = place[name]
        if not isinstance(place, dict):
            raise ValueError(f"invalid sub-path: /{'/'.join(way[:depth])}")
    if not last:
        return new
    place[last] = new
    return value


def _as_object(value: Any) -> Any:
    """A list that gets a named member is a table with numbers for names."""
    if not isinstance(value, list):
        return value
    return {str(place): item for place, item in enumerate(value, 1)}
