"""The keywords of arrays: counts, items, tuples, uniqueness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.emulators.apisix.schema.objects import stand_in
from harness.emulators.apisix.schema.wording import equal

Check = Callable[[Any], str | None]
Compile = Callable[[Any], Check]


def build(schema: Mapping[str, Any], compile_: Compile) -> list[Check]:
    """One check that holds all of them, or none."""
    items = schema.get("items")
    if items is None and not any(schema.get(name) for name in ("minItems", "maxItems", "uniqueItems")):
        return []
    if items is True:
        return []
    if items is False:
        return [lambda value: None if value in ([], {}) else "expect false always"]
    steps = [*_counts(schema), *_items(schema, compile_), *([_unique] if schema.get("uniqueItems") else [])]

    def check(value: Any) -> str | None:
        if not isinstance(value, list) and value != {}:
            return None
        members = value if isinstance(value, list) else []
        for step in steps:
            reason = step(members)
            if reason is not None:
                return reason
        return None

    return [check]


def _counts(schema: Mapping[str, Any]) -> list[Check]:
    least, most = schema.get("minItems"), schema.get("maxItems")

    def check(members: list[Any]) -> str | None:
        if least and len(members) < least:
            return f"expect array to have at least {least} items"
        if most is not None and len(members) > most:
            return f"expect array to have at most {most} items"
        return None

    return [check] if least or most is not None else []


def _items(schema: Mapping[str, Any], compile_: Compile) -> list[Check]:
    items = schema.get("items")
    if isinstance(items, list) and items:
        return [_tuple(items, schema.get("additionalItems"), compile_)]
    if items is None:
        return []
    check_item = compile_(items if not isinstance(items, list) else {})

    def check(members: list[Any]) -> str | None:
        for index, value in enumerate(members):
            if not value and isinstance(value, (list, dict)):
                value = members[index] = stand_in(value, items)
            reason = check_item(value)
            if reason is not None:
                return f"failed to validate item {index + 1}: {reason}"
        return None

    return [check]


def _tuple(items: list[Any], additional: Any, compile_: Compile) -> Check:
    checks = [compile_(item) for item in items]
    check_rest = compile_(additional) if isinstance(additional, Mapping) else None

    def check(members: list[Any]) -> str | None:
        for index, (check_item, value) in enumerate(zip(checks, members, strict=False)):
            reason = check_item(value)
            if reason is not None:
                return f"failed to validate item {index + 1}: {reason}"
        if additional is False and len(members) > len(checks):
            return "found unexpected extra items in array"
        if check_rest is not None:
            for index in range(len(checks), len(members)):
                reason = check_rest(members[index])
                if reason is not None:
                    return f"failed to validate additional item {index + 1}: {reason}"
        return None

    return check


def _unique(members: list[Any]) -> str | None:
    """Scalars are compared before tables, as the library does it in two passes."""
    scalars: dict[tuple[bool, Any], int] = {}
    tables: list[tuple[int, Any]] = []
    for index, value in enumerate(members, 1):
        if isinstance(value, (list, dict)):
            tables.append((index, value))
            continue
        key = (isinstance(value, bool), value)
        if key in scalars:
            return f"expected unique items but items {scalars[key]} and {index} are equal"
        scalars[key] = index
    for place, (first, left) in enumerate(tables):
        for second, right in tables[place + 1 :]:
            if equal(left, right):
                return f"expected unique items but items {first} and {second} are equal"
    return None
