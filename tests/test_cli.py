"""The command line as a user meets it first."""

from __future__ import annotations

from importlib.metadata import version

from typer.testing import CliRunner

from harness.cli import app


def test_it_says_which_version_it_is() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.output) == (0, f"harness {version('bi-harness')}\n")


def test_no_engine_of_this_name_is_told_with_those_there_are() -> None:
    refused = CliRunner().invoke(app, ["up", "--engine", "nonsense"])
    assert refused.exit_code != 0
    assert "there are: embedded, docker" in str(refused.exception)
