"""Whatever stands in a platform file: it loads and compiles, or its mistakes are told; never a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import SpecError
from harness.model import compile_platform, load_platform, render

REFERENCE = Path(__file__).parents[2] / "docs" / "platform.md"
EXAMPLE = yaml.safe_load(REFERENCE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0])

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["${X", "${X}", "${secret:x}", "${service:orders}", "$${X}", "http://[::1", "*", "/", "\x7f", "(", "no"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member of a nested structure."""
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in members for found in [(*path, key), *places(value, (*path, key))]]


PLACES = places(EXAMPLE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("fuzz")
    for name in ("orders.yaml", "rs256.pem", "rs256.pub.pem"):
        (found / name).write_text("a: b\n")
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3))
def test_any_change_is_taken_or_told(folder, changes):
    changed = copy.deepcopy(EXAMPLE)
    for path, value in changes:
        place(changed, path, value)
    file = folder / "platform.yaml"
    file.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    try:
        platform = load_platform(file, "dev", environ={})
        compile_platform(platform)
        render(platform)
    except SpecError as error:
        assert error.where or error.what


def place(data: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put a value in a nested structure, unless an earlier change has taken the place away."""
    try:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value
    except (LookupError, TypeError):
        return


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_any_text_is_taken_or_told(folder, text):
    file = folder / "text.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError):
        load_platform(file, environ={})
