"""Which recipes are made, in which order, and what a failure is worth."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from harness.engines.images.build import chosen
from harness.engines.images.daemon import BuildFailed, follow, packed, tree
from harness.engines.images.offline.catalogue import catalogue
from harness.engines.images.settings import BuildSettings
from harness.errors import SpecError

RECIPES = catalogue(BuildSettings({}))


def test_what_an_image_needs_is_made_before_it() -> None:
    for number, recipe in enumerate(RECIPES):
        assert {*recipe.needs, *recipe.tools} <= {earlier.name for earlier in RECIPES[:number]}
        assert not recipe.stand_in or recipe.stand_in in {one.name for one in RECIPES}


def test_one_image_brings_what_it_stands_on() -> None:
    assert [one.name for one in chosen(RECIPES, ["bi-chat"])] == ["base", "python-builder", "bi-chat"]


def test_without_names_all_are_made_but_those_on_request() -> None:
    names = [one.name for one in chosen(RECIPES, [])]
    assert names == [one.name for one in RECIPES if one.name != "go-builder"]
    assert [one.name for one in chosen(RECIPES, ["go-builder"])] == ["base", "python-builder", "go-builder"]


def test_an_unknown_image_is_told_with_those_there_are() -> None:
    with pytest.raises(SpecError, match=r"(?s)no image is called 'bi-cat'.*bi-chat"):
        chosen(RECIPES, ["bi-cat"])


def test_a_context_is_the_same_bytes_whenever_it_is_packed(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text("1")
    (tmp_path / "start.sh").write_text("#!/bin/sh")
    first = packed(tree(tmp_path))
    (tmp_path / "b.py").touch()
    assert packed(dict(reversed(tree(tmp_path).items()))) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert [(entry.name, oct(entry.mode)) for entry in tar] == [("b.py", "0o644"), ("start.sh", "0o755")]


def test_byte_code_is_no_part_of_a_context(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"")
    (tmp_path / "a.py").write_text("")
    (tmp_path / "a.proto").write_text("")
    assert list(tree(tmp_path, at="app", suffixes=(".py",))) == ["app/a.py"]


def test_a_failed_build_shows_its_last_lines_and_the_mend() -> None:
    events = [{"stream": "Step 1/2 : RUN pip\n"}, {"stream": "SSLError CERTIFICATE_VERIFY_FAILED\n"}, {"error": "gone"}]
    told: list[str] = []
    with pytest.raises(BuildFailed, match=r"(?s)t:1: gone.*CERTIFICATE_VERIFY_FAILED.*HARNESS_CA_BUNDLE"):
        follow(events, "t:1", told.append)
    assert told == ["Step 1/2 : RUN pip", "SSLError CERTIFICATE_VERIFY_FAILED"]
