"""`python -m stubs SERVICE` runs one replica; `python -m stubs --warm` is the parent that forks many."""

from __future__ import annotations

import argparse
import gc
import os
import sys

# The collector finds nothing in what imports leave behind, and costs 70 ms of them; it is on again before a request.
gc.disable()
# Before the imports they govern: pydantic looks through every installed distribution for plug-ins (25 ms), and gRPC
# would arm its own fork handlers (the warm parent forks before any gRPC object exists).
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

NAMES = ("bi-basic", "bi-analysis", "bi-chat", "bi-api-jushuitan", "bi-api-leke")


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m stubs", description="The bi-* stand-ins (see stubs/README.md).")
    parser.add_argument("service", nargs="?", choices=NAMES, help="run one replica, told by its environment")
    parser.add_argument("--warm", action="store_true", help="fork a replica for each JSON line on standard input")
    parser.add_argument("--die-with-parent", action="store_true", help="with --warm: end with the parent (Linux)")
    options = parser.parse_args(arguments)
    if options.warm == bool(options.service):
        parser.error("name a service or give --warm")
    if options.warm:
        from stubs import warm

        return warm.main(die_with_parent=options.die_with_parent)
    from stubs import process

    return process.run_replica(options.service, os.environ)


if __name__ == "__main__":
    sys.exit(main())
