"""Filters and pages of a list (apisix/admin/v3_adapter.lua)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.resources.kind import Kind
from harness.emulators.apisix.schema.formats import searcher

Item = dict[str, Any]


class BadPage(ValueError):
    """page_size out of bounds; answered in plain text."""


def select(items: list[Item], args: Mapping[str, uri_args.Arg], kind: Kind) -> dict[str, Any]:
    """The answer's list and total. Raises BadPage."""
    chosen = [item for item in items if _fits(item["value"], args, kind)]
    return {"list": _page(chosen, args), "total": len(chosen)}


def _fits(value: Any, args: Mapping[str, uri_args.Arg], kind: Kind) -> bool:
    value = value if isinstance(value, dict) else {}
    return (
        _name_fits(value, args.get("name"))
        and _label_fits(value, args.get("label"))
        and _uri_fits(value, args.get("uri"))
        and _members_fit(value, args.get("filter"), kind)
    )


def _name_fits(value: Item, pattern: uri_args.Arg | None) -> bool:
    """A resource without a name is searched as "nil", which is what Lua makes of it."""
    return pattern is None or searcher(_text(pattern))(str(value.get("name", "nil")))


def _label_fits(value: Item, label: uri_args.Arg | None) -> bool:
    """Only the labels' keys are looked at."""
    labels = value.get("labels")
    return label is None or (isinstance(labels, dict) and label in labels)


def _uri_fits(value: Item, pattern: uri_args.Arg | None) -> bool:
    if pattern is None:
        return True
    search = searcher(_text(pattern))
    uris = value.get("uris")
    return any(search(uri) for uri in (value.get("uri"), *(uris if isinstance(uris, list) else ())) if uri)


def _members_fit(value: Item, query: uri_args.Arg | None, kind: Kind) -> bool:
    """?filter=service_id%3D1: members that the kind does not filter by are passed over."""
    if query is None:
        return True
    for name, wanted in uri_args.parse(_text(query)).items():
        if name in kind.filters and value.get(name) != (wanted[-1] if isinstance(wanted, list) else wanted):
            return False
    return True


def _text(value: uri_args.Arg) -> str:
    if isinstance(value, list):
        return _text(value[-1])
    text = value if isinstance(value, str) else "true"
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _page(items: list[Item], args: Mapping[str, uri_args.Arg]) -> Any:
    page, size = _number(args.get("page")), _number(args.get("page_size"))
    if page is None or size is None:
        return items
    if not 10 <= size <= 500:
        raise BadPage("page_size must be between 10 and 500")
    first = (max(page, 1) - 1) * size
    # past the end the real gateway has a table of which it doesn't know that it is a list
    return sorted(items, key=lambda item: item["createdIndex"])[first : first + size] or {}


def _number(value: uri_args.Arg | None) -> int | None:
    try:
        return int(float(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
