"""docs/platform.md shows every key of a platform file, in a file that loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.model import compile_platform, load_platform

REFERENCE = Path(__file__).parents[2] / "docs" / "platform.md"
SOURCES = Path(__file__).parents[2] / "harness" / "model"
ASKED = re.compile(r"\.(?:text|texts|choice|flag|integer|number|words|variables|each|object|objects|below)\(\"(\w+)\"")


@pytest.fixture(scope="module")
def example() -> str:
    return REFERENCE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]


@pytest.mark.parametrize("environment", ["dev", "test", "prod"])
def test_the_example_loads_and_compiles(example, tmp_path, environment):
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "prod.yaml").write_text("services: {orders: {replicas: 4}}")
    for name in ("orders.yaml", "rs256.pem", "rs256.pub.pem"):
        (tmp_path / name).write_text(f"of: {name}\n")
    (tmp_path / "shop.yaml").write_text(example, encoding="utf-8")
    platform = load_platform(tmp_path / "shop.yaml", environment, environ={})
    assert compile_platform(platform).of("routes").keys() >= {"orders", "orders-public", "orders-host", "status-page"}


def test_every_key_is_explained():
    text = REFERENCE.read_text(encoding="utf-8")
    asked = {key for path in SOURCES.glob("*.py") for key in ASKED.findall(path.read_text(encoding="utf-8"))}
    assert len(asked) > 60
    assert [key for key in sorted(asked) if not re.search(rf"\b{key}\b", text)] == []
