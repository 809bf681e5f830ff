"""What a recipe is: the image it makes, from what, and the hash that tells whether it must be made again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: What a Dockerfile may COPY: path in the build context → content, or the file to take it from.
Context = Mapping[str, bytes | Path]
#: Told of each line a build prints.
Say = Callable[[str], None]


@dataclass(frozen=True)
class RootFilesystem:
    """Makes an image of a folder that `make` fills. `config` are lines of a Dockerfile (ENV, CMD)."""

    make: Callable[[Path, Say], None]
    config: Sequence[str] = ()


@dataclass(frozen=True)
class Dockerfile:
    """Makes an image by `docker build`.

    `prepare` gives the files of the build context beyond `sources`, and may take its time (it downloads); it is called
    with an empty folder and only when the image is built. `arguments` are the build's own; what the user passes on from
    the environment is added. `target` is a stage, "" for the last.
    """

    text: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    prepare: Callable[[Path, Say], Context] = lambda folder, say: {}


@dataclass(frozen=True)
class Recipe:
    """One image. `needs` are made before it and part of what it is; `tools` are made before it and leave no trace.

    `stand_in` plays its part where it can't be made; without one a failure ends the build. One that is `on_request` is
    made only when it is named or needed: the sample platform has no use for it.

    `sources` answers the small files it is made from; with the rest of the recipe they make its fingerprint.
    """

    name: str
    tag: str
    about: str
    how: RootFilesystem | Dockerfile
    sources: Callable[[], Context] = dict
    facts: Sequence[str] = ()
    needs: Sequence[str] = ()
    tools: Sequence[str] = ()
    stand_in: str = ""
    on_request: bool = False


def fingerprint(recipe: Recipe, needed: Sequence[str]) -> str:
    """The hash of all that decides what an image holds: its sources, its settings, the images it stands on."""
    digest = hashlib.sha256()
    parts = [recipe.name, recipe.tag, recipe.about, *recipe.facts, *needed, *_settings(recipe.how)]
    for part in parts:
        digest.update(part.encode() + b"\0")
    for path, content in sorted(recipe.sources().items()):
        body = content if isinstance(content, bytes) else content.read_bytes()
        digest.update(path.encode() + b"\0" + hashlib.sha256(body).digest())
    return digest.hexdigest()[:32]


def _settings(how: RootFilesystem | Dockerfile) -> list[str]:
    if isinstance(how, RootFilesystem):
        return list(how.config)
    return [how.text, how.target, *(f"{name}={value}" for name, value in sorted(how.arguments.items()))]
