"""The command line: parse, call, print, exit code."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `harness` command."""
    raise SystemExit("harness: no command yet")
