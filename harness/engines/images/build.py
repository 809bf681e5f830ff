"""Makes the images of recipes: those whose fingerprint is on an image already are left alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines.images import daemon
from harness.engines.images.local import ABOUT_LABEL, FINGERPRINT_LABEL
from harness.engines.images.recipes import Dockerfile, Recipe, Say, fingerprint
from harness.engines.images.settings import BuildSettings
from harness.errors import SpecError


@dataclass(frozen=True)
class Built:
    """One image after a build: `made` is False where it was here already; `size` in bytes, with its base's.

    `failed` is why it could not be made, "" where it was: then its stand-in plays its part.
    """

    name: str
    tag: str
    made: bool
    seconds: float
    size: int
    failed: str = ""


#: Told before an image is looked at (None) and after it (how it went), with the count: (number, of, recipe, built).
Tell = Callable[[int, int, Recipe, Built | None], None]


def build(
    client: Any,
    recipes: Sequence[Recipe],
    settings: BuildSettings,
    *,
    tell: Tell,
    say: Say,
) -> list[Built]:
    """Make what isn't here or has changed, in the given order.

    Raises BuildFailed at the first that fails and has no stand-in.
    """
    prints: dict[str, str] = {}
    results = []
    for number, recipe in enumerate(recipes, 1):
        tell(number, len(recipes), recipe, None)
        prints[recipe.name] = fingerprint(recipe, [prints[need] for need in recipe.needs])
        try:
            results.append(_one(client, recipe, prints[recipe.name], settings, say))
        except daemon.BuildFailed as error:
            if not recipe.stand_in:
                raise
            results.append(Built(recipe.name, recipe.tag, False, 0.0, 0, str(error)))
        tell(number, len(recipes), recipe, results[-1])
    return results


def _one(client: Any, recipe: Recipe, print_: str, settings: BuildSettings, say: Say) -> Built:
    started = time.perf_counter()
    here = daemon.fingerprint_of(client, recipe.tag) == print_
    if not here:
        _make(client, recipe, {FINGERPRINT_LABEL: print_, ABOUT_LABEL: recipe.about}, settings, say)
    size = int(client.images.get(recipe.tag).attrs["Size"])
    return Built(recipe.name, recipe.tag, not here, time.perf_counter() - started, size)


def _make(client: Any, recipe: Recipe, labels: Mapping[str, str], settings: BuildSettings, say: Say) -> None:
    with tempfile.TemporaryDirectory(prefix="harness-image-") as name:
        folder = Path(name) / "content"
        folder.mkdir()
        how = recipe.how
        if isinstance(how, Dockerfile):
            context = {**recipe.sources(), **how.prepare(folder, say)}
            daemon.build(
                client,
                tag=recipe.tag,
                text=how.text,
                context=context,
                arguments={**settings.arguments, **how.arguments},
                labels=labels,
                say=say,
                target=how.target,
                network=settings.network,
            )
        else:
            how.make(folder, say)
            daemon.import_folder(client, tag=recipe.tag, folder=folder, config=how.config, labels=labels)


def chosen(recipes: Sequence[Recipe], only: Iterable[str]) -> list[Recipe]:
    """The named recipes and all they need, in order; without names all but those on request. Raises SpecError."""
    by_name = {recipe.name: recipe for recipe in recipes}
    waiting = list(only) or [recipe.name for recipe in recipes if not recipe.on_request]
    wanted: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise SpecError(f"no image is called {name!r}", where="--only", mend=f"there are {', '.join(by_name)}")
        if name not in wanted:
            wanted.add(name)
            waiting.extend((*by_name[name].needs, *by_name[name].tools))
    return [recipe for recipe in recipes if recipe.name in wanted]
