"""JSON schema as api7/jsonschema 0.9.13 judges it: same order of checks, same words, defaults filled in in place.

Facts that differ from the standard: an empty array is an empty object and the other way round, a string that refers to
a secret (`$secret://…`, `$env://…`) passes wherever a string may stand, failing branches leave their defaults behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from harness.emulators.apisix.schema import arrays, compound, objects, scalars
from harness.emulators.apisix.schema.wording import type_name

#: None when the value is fine, else the reason.
Check = Callable[[Any], str | None]

#: keywords whose value the library walks over
_LISTS = ("enum", "required", "allOf", "anyOf", "oneOf")


def is_secret_reference(value: Any) -> bool:
    """Whether a value is a string that is looked up at run time."""
    return (
        isinstance(value, str)
        and value.startswith("$")
        and (value.startswith("$secret://") or value[:7].upper() == "$ENV://")
    )


class Validator:
    """A compiled schema. Raises ValueError for a schema that the library could not compile."""

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        self._root = schema
        self._known: dict[int, Check] = {}
        self._kept: list[Any] = []  # schemas are known by identity, so they must outlive the table
        self._check = self.compile(schema)

    def check(self, value: Any) -> str | None:
        """None for a valid value, with defaults filled in in place; else the message."""
        return self._check(value)

    def compile(self, schema: Any) -> Check:
        """The check for a sub-schema; a schema that refers to itself is compiled once."""
        schema = self._resolve(schema)
        if schema is True:
            return lambda value: None
        if schema is False:
            return lambda value: "expect false always"
        if not isinstance(schema, Mapping):
            raise ValueError(f"a schema is an object or a boolean, not {schema!r}")
        return self._known.get(id(schema)) or self._compile_once(schema)

    def _compile_once(self, schema: Mapping[str, Any]) -> Check:
        if any(isinstance(schema.get(word), str) for word in _LISTS):
            raise ValueError("bad argument #1 to 'ipairs' (table expected, got string)")
        steps: list[Check] = []
        skips_references = schema.get("type") in (None, "string")

        def check(value: Any) -> str | None:
            if skips_references and value.__class__ is str and is_secret_reference(value):
                return None
            for step in steps:
                reason = step(value)
                if reason is not None:
                    return reason
            return None

        self._kept.append(schema)
        self._known[id(schema)] = check
        for build in BUILDERS:
            steps.extend(build(schema, self.compile))
        return check

    def _resolve(self, schema: Any) -> Any:
        while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
            schema = self._find(schema["$ref"])
        return schema

    def _find(self, reference: str) -> Any:
        document, _, fragment = reference.partition("#")
        if document:
            raise ValueError(f"an external resolver is required to fetch {document}")
        found: Any = self._root
        for part in filter(None, fragment.split("/")):
            name = part.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(name)] if isinstance(found, list) else found[name]
            except (KeyError, IndexError, TypeError, ValueError):
                raise ValueError(f"reference not found: {reference} (at {name!r})") from None
        return found


def _type(schema: Mapping[str, Any], compile_: Callable[[Any], Check]) -> list[Check]:
    expected = schema.get("type")
    if expected is None:
        return []
    if isinstance(expected, str):
        return [_single_type(expected)]
    if not isinstance(expected, list):
        raise ValueError(f'invalid "type" type: got {type_name(expected)}')
    tests = [_type_test(name) for name in expected]
    listed = ", ".join(expected)

    def check(value: Any) -> str | None:
        if any(test(value) for test in tests):
            return None
        return f"wrong type: expected one of {listed}, got {type_name(value)}"

    return [check]


def _single_type(expected: str) -> Check:
    test = _type_test(expected)

    def check(value: Any) -> str | None:
        return None if test(value) else f"wrong type: expected {expected}, got {type_name(value)}"

    return check


def _type_test(name: str) -> Callable[[Any], bool]:
    try:
        return _TYPE_TESTS[name]
    except KeyError:
        raise ValueError(f"invalid JSON type: {name}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


_TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict) or (isinstance(value, list) and not value),
    "array": lambda value: isinstance(value, list) or (isinstance(value, dict) and not value),
    "table": lambda value: isinstance(value, (dict, list)),
    "integer": _is_integer,
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "function": callable,
}

#: in the library's order: the first that finds a fault words the message
BUILDERS = (
    _type,
    objects.build,
    arrays.build,
    scalars.build,
    compound.build,
)


def check_copy(validator: Validator, value: Any) -> str | None:
    """Check without filling in defaults."""
    return validator.check(deepcopy(value))
