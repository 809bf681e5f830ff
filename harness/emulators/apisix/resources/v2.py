"""The answers of Admin API v2: what etcd's own v2 API looked like, `action` and `node` (admin/v3_adapter.lua)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.emulators.apisix.resources.call import Outcome

_ACTIONS: Mapping[str, str] = {"GET": "get", "PUT": "set", "POST": "create", "PATCH": "compareAndSwap"}


def reshape(method: str, outcome: Outcome) -> Outcome:
    """The outcome of an operation in the words of v2; refusals are the same in both."""
    body = outcome.body
    if outcome.status not in (200, 201) or not isinstance(body, dict):
        return outcome
    if "deleted" in body:
        return Outcome(outcome.status, {"action": "delete", "node": {}, **body})
    if "list" in body:
        return Outcome(outcome.status, {"action": "get", "node": _directory(body)})
    node = {name: body[name] for name in ("key", "value")}
    return Outcome(outcome.status, {"action": _ACTIONS[method], "node": node})


def _directory(body: Mapping[str, Any]) -> dict[str, Any]:
    """A directory that has no placeholder shows its first member's value as its own, as the real one does."""
    items = body["list"]
    node = {"key": body["directory"], "dir": True, "nodes": items}
    return node if body["placeholder"] or not items else {"value": items[0]["value"], **node}
