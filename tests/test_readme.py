"""The README keeps its word: its code runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def blocks(platform_file):
    return BLOCK.findall((platform_file.parent.parent / "README.md").read_text())


def test_the_scenario(blocks, tmp_path, platform_file):
    (block,) = (text for text in blocks if "def test_" in text)
    (tmp_path / "test_readme_example.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--platform", str(platform_file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert "2 passed" in done.stdout, done.stdout


def test_the_python_interface(blocks, tmp_path):
    (block,) = (text for text in blocks if "ApisixServer" in text)
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("127.0.0.1:") == 3


def test_the_plugins_it_names_are_those_there_are(platform_file):
    from harness.emulators.apisix.plugins.registry import BY_NAME
    from harness.emulators.apisix.resources.plugin_names import refused

    text = (platform_file.parent.parent / "README.md").read_text()
    assert f"Emulated: {', '.join(sorted(BY_NAME))}." in text
    assert f"Refused: {', '.join(sorted(refused()))}." in text


def test_each_plugin_has_its_test_file():
    from harness.emulators.apisix.plugins.registry import BY_NAME

    directory = Path(__file__).parent / "emulators/apisix/plugins"
    there = {path.stem.removeprefix("test_") for path in directory.glob("test_*.py")}
    # both serverless plugins are one class
    wanted = {"serverless" if name.startswith("serverless-") else name.replace("-", "_") for name in BY_NAME}
    assert wanted <= there
