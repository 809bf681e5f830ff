"""How PATCH changes a value."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.resources.patching import merge, set_at


@pytest.mark.parametrize(
    ("value", "change", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": {"x": 1}}, {"a": {"x": None}}, {"a": {}}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1]}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": 1}, {"a": None, "b": None}, {}),
        ({}, {"a": {"x": None}}, {"a": {"x": None}}),
    ],
)
def test_merge(value: dict[str, Any], change: dict[str, Any], result: dict[str, Any]) -> None:
    assert merge(value, change) == result


@pytest.mark.parametrize(
    ("value", "path", "result"),
    [
        ({}, "a", {"a": 9}),
        ({"a": {"b": 1}}, "a/b", {"a": {"b": 9}}),
        ({}, "a/b/c", {"a": {"b": {"c": 9}}}),
        ({"a": [1]}, "a/x", {"a": {"1": 1, "x": 9}}),
    ],
)
def test_set_at(value: dict[str, Any], path: str, result: dict[str, Any]) -> None:
    assert set_at(value, path, 9) == result


def test_a_way_through_a_scalar_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid sub-path: /a"):
        set_at({"a": 1}, "a/b/c", 9)
