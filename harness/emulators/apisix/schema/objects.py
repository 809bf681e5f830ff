"""The keywords of objects: properties, required, dependencies, patterns, counts; and defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from harness.emulators.apisix.schema.formats import searcher

Check = Callable[[Any], str | None]
Compile = Callable[[Any], Check]
ObjectCheck = Callable[[dict[str, Any]], str | None]

_KEYWORDS = (
    "properties",
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "dependencies",
    "required",
)


def build(schema: Mapping[str, Any], compile_: Compile) -> list[Check]:
    """One check that holds all of them, or none."""
    if all(schema.get(keyword) is None for keyword in _KEYWORDS):
        return []
    steps: list[ObjectCheck] = [
        *_properties(schema, compile_),
        *_rest_of_required(schema),
        *_rest_of_dependencies(schema, compile_),
        *_patterns_and_additional(schema, compile_),
        *_counts(schema),
    ]
    must_be_empty = schema.get("required") == []

    def check(value: Any) -> str | None:
        if isinstance(value, dict) or value == []:
            members = value if isinstance(value, dict) else {}
            for step in steps:
                reason = step(members)
                if reason is not None:
                    return reason
        if must_be_empty and value not in ([], {}):
            return "the input data should be an empty table"
        return None

    return [check]


def stand_in(value: Any, schema: Any) -> Any:
    """Lua knows one empty table: give the kind that the schema asks for, so that readers needn't look twice."""
    if value or not isinstance(schema, Mapping):
        return value
    if isinstance(value, list) and schema.get("type") == "object":
        return {}
    return [] if isinstance(value, dict) and schema.get("type") == "array" else value


def _properties(schema: Mapping[str, Any], compile_: Compile) -> list[ObjectCheck]:
    """One step for all: most members are absent and mean nothing then, so they cost no call."""
    required = schema.get("required") or ()
    dependencies = schema.get("dependencies") or {}
    checks = [
        (
            name,
            name in required or (isinstance(member, Mapping) and member.get("default") is not None),
            _property(
                name, member, compile_(member), name in required, _dependency(name, dependencies.get(name), compile_)
            ),
        )
        for name, member in (schema.get("properties") or {}).items()
    ]

    def check(members: dict[str, Any]) -> str | None:
        for name, counts_when_absent, check_property in checks:
            if counts_when_absent or name in members:
                reason = check_property(members)
                if reason is not None:
                    return reason
        return None

    return [check] if checks else []


def _property(
    name: str, schema: Any, check_member: Check, required: bool, dependency: ObjectCheck | None
) -> ObjectCheck:
    default = schema.get("default") if isinstance(schema, Mapping) else None

    def check(members: dict[str, Any]) -> str | None:
        if name in members:
            value = members[name]
            if not value and isinstance(value, (list, dict)):
                value = members[name] = stand_in(value, schema)
            reason = check_member(value)
            if reason is not None:
                return f'property "{name}" validation failed: {reason}'
            return dependency(members) if dependency else None
        if required:
            return f'property "{name}" is required'
        if default is not None:
            members[name] = deepcopy(default)
        return None

    return check


def _rest_of_required(schema: Mapping[str, Any]) -> list[ObjectCheck]:
    known = schema.get("properties") or {}
    rest = [name for name in schema.get("required") or () if name not in known]

    def check(members: dict[str, Any]) -> str | None:
        for name in rest:
            if name not in members:
                return f'property "{name}" is required'
        return None

    return [check] if rest else []


def _rest_of_dependencies(schema: Mapping[str, Any], compile_: Compile) -> list[ObjectCheck]:
    known = schema.get("properties") or {}
    found = (
        _dependency(name, needed, compile_)
        for name, needed in (schema.get("dependencies") or {}).items()
        if name not in known
    )
    return [dependency for dependency in found if dependency]


def _dependency(name: str, needed: Any, compile_: Compile) -> ObjectCheck | None:
    if needed is None:
        return None
    if isinstance(needed, list) and needed:
        return _needs_members(name, needed)
    check_whole = compile_(needed if not isinstance(needed, list) else {})

    def check(members: dict[str, Any]) -> str | None:
        if name not in members:
            return None
        reason = check_whole(members)
        return None if reason is None else f'failed to validate dependent schema for "{name}": {reason}'

    return check


def _needs_members(name: str, needed: list[str]) -> ObjectCheck:
    def check(members: dict[str, Any]) -> str | None:
        if name in members:
            for other in needed:
                if other not in members:
                    return f'property "{other}" is required when "{name}" is set'
        return None

    return check


def _patterns_and_additional(schema: Mapping[str, Any], compile_: Compile) -> list[ObjectCheck]:
    patterns = [
        (pattern, searcher(pattern), member, compile_(member))
        for pattern, member in (schema.get("patternProperties") or {}).items()
    ]
    additional = schema.get("additionalProperties", True)
    if not patterns and additional is True:
        return []
    known = frozenset(schema.get("properties") or ())
    check_additional = _additional(additional, compile_)

    def check(members: dict[str, Any]) -> str | None:
        for name, value in members.items():
            matched = name in known
            if not value and isinstance(value, (list, dict)):
                value = members[name] = _stand_in_for(name, value, patterns, additional)
            for pattern, matches, _, check_member in patterns:
                if matches(name):
                    matched = True
                    reason = check_member(value)
                    if reason is not None:
                        return f'failed to validate {name} (matching "{pattern}"): {reason}'
            if not matched and check_additional is not None:
                reason = check_additional(name, value)
                if reason is not None:
                    return reason
        return None

    return [check]


def _stand_in_for(
    name: str, value: Any, patterns: list[tuple[str, Callable[[str], bool], Any, Check]], additional: Any
) -> Any:
    for _, matches, member, _ in patterns:
        if matches(name):
            return stand_in(value, member)
    return stand_in(value, additional)


def _additional(schema: Any, compile_: Compile) -> Callable[[str, Any], str | None] | None:
    if schema is True:
        return None
    if schema is False or schema is None:
        return lambda name, value: f"additional properties forbidden, found {name}"
    check_member = compile_(schema)

    def check(name: str, value: Any) -> str | None:
        reason = check_member(value)
        return None if reason is None else f"failed to validate additional property {name}: {reason}"

    return check


def _counts(schema: Mapping[str, Any]) -> list[ObjectCheck]:
    least, most = schema.get("minProperties"), schema.get("maxProperties")

    def check(members: dict[str, Any]) -> str | None:
        if least is not None and len(members) < least:
            return f"expect object to have at least {least} properties"
        if most is not None and len(members) > most:
            return f"expect object to have at most {most} properties"
        return None

    return [check] if least is not None or most is not None else []
