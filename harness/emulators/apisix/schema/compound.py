"""The keywords that combine schemas: allOf, anyOf, oneOf, if, not; and those checked last: format, const, contains."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.emulators.apisix.schema.formats import format_check
from harness.emulators.apisix.schema.wording import equal

Check = Callable[[Any], str | None]
Compile = Callable[[Any], Check]


def build(schema: Mapping[str, Any], compile_: Compile) -> list[Check]:
    """The checks in the library's order."""
    checks: list[Check] = []
    for keyword, builder in _BUILDERS:
        if keyword in schema:
            checks.append(builder(schema, compile_))
    return checks


def _all_of(schema: Mapping[str, Any], compile_: Compile) -> Check:
    checks = [compile_(member) for member in schema["allOf"]]

    def check(value: Any) -> str | None:
        for place, check_member in enumerate(checks, 1):
            reason = check_member(value)
            if reason is not None:
                return f"allOf {place} failed: {reason}"
        return None

    return check


def _any_of(schema: Mapping[str, Any], compile_: Compile) -> Check:
    checks = [compile_(member) for member in schema["anyOf"]]
    lists = [
        json.dumps(member["required"], separators=(",", ":"), ensure_ascii=False).replace("/", "\\/")
        for member in schema["anyOf"]
        if isinstance(member, Mapping) and member.get("required") is not None
    ]
    reason = "object matches none of the required" + (f": {' or '.join(lists)}" if lists else "")

    def check(value: Any) -> str | None:
        return None if any(check_member(value) is None for check_member in checks) else reason

    return check


def _one_of(schema: Mapping[str, Any], compile_: Compile) -> Check:
    checks = [compile_(member) for member in schema["oneOf"]]

    def check(value: Any) -> str | None:
        matched = 0
        for place, check_member in enumerate(checks, 1):
            if check_member(value) is None:
                if matched:
                    return f"value should match only one schema, but matches both schemas {matched} and {place}"
                matched = place
        return None if matched else "value should match only one schema, but matches none"

    return check


def _if(schema: Mapping[str, Any], compile_: Compile) -> Check:
    condition = compile_(schema["if"])
    then = compile_(schema["then"]) if schema.get("then") is not None else None
    otherwise = compile_(schema["else"]) if schema.get("else") is not None else None

    def check(value: Any) -> str | None:
        if condition(value) is None:
            return "then clause did not match" if then and then(value) is not None else None
        return "else clause did not match" if otherwise and otherwise(value) is not None else None

    return check


def _not(schema: Mapping[str, Any], compile_: Compile) -> Check:
    unwanted = compile_(schema["not"])
    return lambda value: "value wasn't supposed to match schema" if unwanted(value) is None else None


def _property_names(schema: Mapping[str, Any], compile_: Compile) -> Check:
    """Only the boolean forms do anything in the library."""
    if schema["propertyNames"] is not False:
        return lambda value: None
    return lambda value: None if value in ([], {}) else "expect false always"


def _format(schema: Mapping[str, Any], compile_: Compile) -> Check:
    name = schema["format"]
    test = format_check(name)

    def check(value: Any) -> str | None:
        if test is None or not isinstance(value, str) or test(value):
            return None
        return f"expect valid {name} format but got: {value}"

    return check


def _const(schema: Mapping[str, Any], compile_: Compile) -> Check:
    wanted = schema["const"]
    return lambda value: None if equal(value, wanted) else "failed to check const value"


def _contains(schema: Mapping[str, Any], compile_: Compile) -> Check:
    wanted = schema["contains"]
    if wanted is True:
        return lambda value: None if isinstance(value, list) and value else "check contains: expect array table"
    if wanted is False:
        return lambda value: "check contains: expect table" if isinstance(value, (list, dict)) else None
    check_item = compile_(wanted)

    def check(value: Any) -> str | None:
        if value in ([], {}):
            return "check contains: empty array is invalid"
        if isinstance(value, list) and all(check_item(item) is not None for item in value):
            return "failed to check contains"
        return None

    return check


_BUILDERS: tuple[tuple[str, Callable[[Mapping[str, Any], Compile], Check]], ...] = (
    ("allOf", _all_of),
    ("anyOf", _any_of),
    ("oneOf", _one_of),
    ("if", _if),
    ("not", _not),
    ("propertyNames", _property_names),
    ("format", _format),
    ("const", _const),
    ("contains", _contains),
)
