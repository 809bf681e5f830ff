"""The `harness` command, and `python -m harness`."""

from __future__ import annotations

import gc
import sys

from harness.errors import HarnessError
from harness.serving import EMULATORS


def main() -> None:
    """Entry point: an error of ours is a message, not a traceback."""
    gc.set_threshold(100_000, 50, 100)  # what is imported stays: looking for garbage amid it costs 10-20 ms of a start
    try:
        if sys.argv[1:2] == ["serve"] and (serve := EMULATORS.get("".join(sys.argv[2:3]))):
            # without the libraries of the other commands, which take 100 ms of a start
            raise SystemExit(serve(sys.argv[3:]))
        from harness.cli import app

        app()
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
