"""The validator's words and order of checks, as api7/jsonschema has them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.schema.validate import Validator

OBJECT = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
        "names": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^\d+$"},
            "uniqueItems": True,
            "minItems": 1,
        },
        "mode": {"enum": ["a", 1, True]},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
        "label": {"type": "string", "minLength": 2, "maxLength": 3},
        "both": {"type": ["string", "boolean"]},
    },
    "required": ["names", "extra"],
    "dependencies": {"mode": ["ratio"]},
    "additionalProperties": {"type": "object", "maxProperties": 1},
}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x", "wrong type: expected object, got string"),
        (None, "wrong type: expected object, got userdata"),
        ({}, 'property "names" is required'),
        ({"names": ["1"]}, 'property "extra" is required'),
        ({"names": ["1"], "extra": {}}, None),
        ({"names": [], "extra": {}}, 'property "names" validation failed: expect array to have at least 1 items'),
        (
            {"names": ["1", 'a"\\'], "extra": {}},
            'property "names" validation failed: failed to validate item 2: failed to match pattern "^\\\\d+$" '
            'with "a\\"\\\\"',
        ),
        (
            {"names": ["1", "2", "1"], "extra": {}},
            'property "names" validation failed: expected unique items but items 1 and 3 are equal',
        ),
        ({"size": 0, "names": ["1"]}, 'property "size" validation failed: expected 0 to be at least 1'),
        ({"size": 10, "names": ["1"]}, 'property "size" validation failed: expected 10 to be at most 9'),
        ({"size": 1.5, "names": ["1"]}, 'property "size" validation failed: wrong type: expected integer, got number'),
        ({"size": True}, 'property "size" validation failed: wrong type: expected integer, got boolean'),
        ({"names": ["1"], "mode": "b"}, 'property "mode" validation failed: matches none of the enum values'),
        ({"names": ["1"], "mode": True}, 'property "ratio" is required when "mode" is set'),
        ({"names": ["1"], "ratio": 0}, 'property "ratio" validation failed: expected 0 to be greater than 0'),
        ({"names": ["1"], "ratio": 0.7}, 'property "ratio" validation failed: expected 0.7 to be a multiple of 0.5'),
        (
            {"names": ["1"], "label": "é"},
            'property "label" validation failed: string too short, expected at least 2, got 1',
        ),
        (
            {"names": ["1"], "label": "long"},
            'property "label" validation failed: string too long, expected at most 3, got 4',
        ),
        (
            {"names": ["1"], "both": []},
            'property "both" validation failed: wrong type: expected one of string, boolean, got table',
        ),
        (
            {"names": ["1"], "extra": {"a": 1, "b": 2}},
            "failed to validate additional property extra: expect object to have at most 1 properties",
        ),
    ],
)
def test_objects(value: Any, reason: str | None) -> None:
    assert Validator(OBJECT).check(value) == reason


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, 1, None),
        (
            {"oneOf": [{"minimum": 1}, {"maximum": 5}]},
            3,
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        ({"oneOf": [{"type": "string"}]}, 1, "value should match only one schema, but matches none"),
        (
            {"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]},
            {},
            'object matches none of the required: ["a","b"] or ["c"]',
        ),
        ({"anyOf": [{"type": "string"}]}, 1, "object matches none of the required"),
        ({"allOf": [{"type": "number"}, {"maximum": 0}]}, 1, "allOf 2 failed: expected 1 to be at most 0"),
        ({"not": {"type": "number"}}, 1, "value wasn't supposed to match schema"),
        ({"if": {"minimum": 5}, "then": {"maximum": 6}, "else": {"maximum": 1}}, 7, "then clause did not match"),
        ({"if": {"minimum": 5}, "then": {"maximum": 6}, "else": {"maximum": 1}}, 3, "else clause did not match"),
        ({"format": "ipv4"}, "1.2.3", "expect valid ipv4 format but got: 1.2.3"),
        ({"const": {"a": []}}, {"a": {}}, None),
        ({"additionalProperties": False}, {"x": 1}, "additional properties forbidden, found x"),
        (
            {"patternProperties": {r"^\w$": {"type": "string"}}},
            {"x": 1},
            'failed to validate x (matching "^\\w$"): wrong type: expected string, got number',
        ),
        ({"required": []}, {"a": 1}, "the input data should be an empty table"),
        (False, 1, "expect false always"),
    ],
)
def test_compounds(schema: Any, value: Any, reason: str | None) -> None:
    assert Validator(schema).check(value) == reason


def test_defaults_are_filled_in_and_never_shared() -> None:
    validator = Validator(
        {"type": "object", "properties": {"list": {"type": "array", "default": [1]}, "sub": {"type": "object"}}}
    )
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    assert validator.check(first) is None
    assert validator.check(second) is None
    first["list"].append(2)
    assert second == {"list": [1]}


def test_an_empty_array_serves_as_an_object_and_takes_its_defaults() -> None:
    validator = Validator(
        {"type": "object", "properties": {"sub": {"type": "object", "properties": {"a": {"default": 1}}}}}
    )
    value: dict[str, Any] = {"sub": []}
    assert validator.check(value) is None
    assert value == {"sub": {"a": 1}}


def test_secret_references_pass_where_a_string_may_stand() -> None:
    assert Validator({"type": "string", "maxLength": 2}).check("$env://LONG_NAME") is None
    assert Validator({"enum": ["a"]}).check("$secret://vault/1/k") is None
    assert Validator({"type": "integer"}).check("$env://N") == "wrong type: expected integer, got string"


def test_references_within_the_document() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"$ref": "#/definitions/n"}}}
    validator = Validator({**tree, "definitions": {"n": {"type": "number"}}})
    assert validator.check({"next": {"n": 1}}) is None
    reason = (
        'property "next" validation failed: property "n" validation failed: wrong type: expected number, got string'
    )
    assert validator.check({"next": {"n": "1"}}) == reason


def test_a_schema_that_cannot_be_compiled_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="invalid JSON type: text"):
        Validator({"type": "text"})
