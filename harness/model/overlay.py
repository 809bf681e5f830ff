"""An environment's overlay laid over the platform: mappings merge deeply, lists are replaced, null deletes."""

from __future__ import annotations

from harness.model.problems import Problems, near
from harness.model.tree import Node, Scalar, Table


def laid_over(base: Table, overlay: Table, problems: Problems, path: str = "") -> Table:
    """A new tree; every node keeps the file and line it came from."""
    entries, places = dict(base.entries), dict(base.places)
    for key, node in overlay.entries.items():
        below = f"{path}.{key}" if path else key
        if isinstance(node, Scalar) and node.kind == "null":
            _delete(key, entries, overlay.places[key], below, problems)
            continue
        known = entries.get(key)
        if isinstance(known, Table) and isinstance(node, Table):
            node = laid_over(known, node, problems, below)
        entries[key] = node
        places[key] = overlay.places[key]
    return Table(entries, places, base.where)


def _delete(key: str, entries: dict[str, Node], where: str, path: str, problems: Problems) -> None:
    if key not in entries:
        mend = near(key, entries) or "remove the line"
        problems.add(where, path, "null deletes a key of the platform file, but there is none", mend)
    entries.pop(key, None)
