"""The command line as a user meets it first."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from harness.cli import app

HARNESS = [sys.executable, "-m", "harness"]


def test_it_says_which_version_it_is() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.output) == (0, f"harness {version('bi-harness')}\n")


def test_no_engine_of_this_name_is_told_with_those_there_are() -> None:
    refused = CliRunner().invoke(app, ["up", "--engine", "nonsense"])
    assert refused.exit_code != 0
    assert "there are: embedded, docker" in str(refused.exception)


@pytest.mark.parametrize("emulator", ["nacos", "apisix"])
def test_an_emulator_has_its_own_help(emulator: str) -> None:
    done = subprocess.run([*HARNESS, "serve", emulator, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"usage: harness serve {emulator}")


def test_serving_starts_without_the_libraries_of_the_other_commands() -> None:
    asked = "import sys; sys.argv = ['harness', 'serve', 'nacos', '--port', 'no']; from harness.__main__ import main"
    told = "\ntry: main()\nfinally: print([name for name in ('typer', 'rich') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked + told], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "[]\n")
    assert "argument --port: invalid int value: 'no'" in done.stderr


def test_what_an_emulator_refuses_is_a_message() -> None:
    command = [*HARNESS, "serve", "nacos", "--port", "0", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("harness: ") and "mend:" in done.stderr
