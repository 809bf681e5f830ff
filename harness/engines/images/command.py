"""`harness images …`: what is pinned, what is here, and making what can't be pulled."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from harness.engines.images import daemon, local, references, settings
from harness.engines.images.build import Built, build, chosen
from harness.engines.images.offline.catalogue import catalogue
from harness.engines.images.pins import PINS
from harness.engines.images.recipes import Recipe


class Display:
    """Build progress on a stream: on a terminal the current line in place, elsewhere a line per image."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._prefix = ""
        self._told = time.monotonic()

    def tell(self, number: int, count: int, recipe: Recipe, built: Built | None) -> None:
        """An image begins, or is done."""
        self._prefix = f"[{number}/{count}] {recipe.tag}"
        if built is not None and built.failed:
            self._line(f"{self._prefix} can't be made here, {recipe.stand_in} plays its part:\n{built.failed}")
        elif built is not None:
            how = f"made in {built.seconds:.1f} s" if built.made else "is here"
            self._line(f"{self._prefix} {how}, {built.size / 1e6:.0f} MB")
        elif not self._live:
            self._line(f"{self._prefix} …")

    def say(self, line: str) -> None:
        """A line of the build in progress: Docker's steps, and a sign of life every ten seconds."""
        if self._live:
            self._stream.write(f"\r\x1b[K{self._prefix}  {line}"[:120])
            self._stream.flush()
        elif line.startswith("Step ") or time.monotonic() - self._told > 10:
            self._line(f"    {line[:140]}")

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        self._stream.write(f"\r\x1b[K{text}\n" if self._live else f"{text}\n")
        self._stream.flush()


def build_images(only: Sequence[str] = (), *, stream: TextIO = sys.stderr) -> list[Built]:
    """Make the named images and what they need, all without names. Raises EngineUnavailable, BuildFailed, SpecError."""
    chosen_settings = settings.read()
    recipes = chosen(catalogue(chosen_settings), only)
    display = Display(stream)
    results = build(daemon.connect(), recipes, chosen_settings, tell=display.tell, say=display.say)
    if missing := [one.tag for one in results if one.failed and one.name in only]:
        raise daemon.BuildFailed("it was asked for by name and can't be made here", where=missing[0])
    return results


def show_images(stream: TextIO = sys.stdout) -> None:
    """Print each component's candidates, and the one that would be used."""
    client = daemon.connect()
    for component in PINS:
        found = local.find(client, component)
        stream.write(f"{component}: {f'{found.reference} ({found.about})' if found else 'none is here'}\n")
        for candidate in references.candidates(component):
            stream.write(f"    {candidate.origin:9} {candidate.reference}\n")
