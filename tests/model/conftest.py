"""Platforms as texts, loaded, and their mistakes as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.model import DeclarationError, Platform, load_platform

Load = Callable[..., Platform]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the text as platform.yaml; `files` are written next to it."""

    def load_text(
        text: str, environment: str = "dev", *, environ: Mapping[str, str] | None = None, **files: str
    ) -> Platform:
        for name, content in files.items():
            (tmp_path / name.replace("_", ".")).write_text(content, encoding="utf-8")
        (tmp_path / "platform.yaml").write_text(text, encoding="utf-8")
        return load_platform(tmp_path / "platform.yaml", environment, environ=environ or {})

    return load_text


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """Load a text that is wrong; each mistake as "line path: what (mend)"."""

    def texts(text: str, **options: object) -> list[str]:
        with pytest.raises(DeclarationError) as caught:
            load(text, **options)
        return [
            f"{found.where.rpartition(':')[2]} {found.path}: {found.what} ({found.mend})"
            for found in caught.value.problems
        ]

    return texts
