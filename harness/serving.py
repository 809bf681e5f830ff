"""One emulator alone, with its own command line: `harness serve nacos` and `harness serve apisix`."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def nacos(arguments: Sequence[str]) -> int:
    """Serve until a signal and return the exit code; raises SpecError."""
    from harness.emulators.nacos.__main__ import serve

    return serve(arguments)


def apisix(arguments: Sequence[str]) -> int:
    """Serve until a signal and return the exit code; raises SpecError and NotReady."""
    from harness.emulators.apisix.serve import parse, run

    return run(parse(arguments))


EMULATORS: dict[str, Callable[[Sequence[str]], int]] = {"nacos": nacos, "apisix": apisix}
