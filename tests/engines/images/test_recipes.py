"""An image is made again when, and only when, what it is made of has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.engines.images.recipes import Dockerfile, Recipe, fingerprint

RECIPE = Recipe(
    name="a",
    tag="t/a:1",
    about="an image",
    how=Dockerfile("FROM x:1\n", {"VERSION": "1"}),
    sources=lambda: {"main.py": b"print()", "config": b"a"},
)


def test_the_same_recipe_has_the_same_fingerprint() -> None:
    again = replace(RECIPE, sources=lambda: {"config": b"a", "main.py": b"print()"})
    assert fingerprint(RECIPE, []) == fingerprint(again, [])


def test_each_part_of_a_recipe_counts() -> None:
    others = [
        replace(RECIPE, sources=lambda: {"main.py": b"print(1)", "config": b"a"}),
        replace(RECIPE, sources=lambda: {"other.py": b"print()", "config": b"a"}),
        replace(RECIPE, how=Dockerfile("FROM x:2\n", {"VERSION": "1"})),
        replace(RECIPE, how=Dockerfile("FROM x:1\n", {"VERSION": "2"})),
        replace(RECIPE, how=Dockerfile("FROM x:1\n", {"VERSION": "1"}, target="final")),
        replace(RECIPE, facts=("more",)),
    ]
    prints = {fingerprint(one, []) for one in others} | {fingerprint(RECIPE, ["base-2"])}
    assert len(prints) == 7
    assert fingerprint(RECIPE, []) not in prints


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"a")
    recipe = replace(RECIPE, sources=lambda: {"f": file})
    before = fingerprint(recipe, [])
    file.touch()
    assert fingerprint(recipe, []) == before
    file.write_bytes(b"b")
    assert fingerprint(recipe, []) != before
