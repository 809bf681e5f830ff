"""The JSON paths that `post_arg.*` takes: members, indexes, slices, wildcards and descent, but no filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_STEP = re.compile(
    r"""(?P<deep>\.\.)?\.?
        (?: \[\s*(?: (?P<every>\*) | (?P<index>-?\d+) | '(?P<single>[^']*)' | "(?P<double>[^"]*)"
               | (?P<start>-?\d*):(?P<end>-?\d*)(?::(?P<step>\d+))? )\s*\]
          | (?P<star>\*) | (?P<name>[^.\[\]*]+) )""",
    re.VERBOSE,
)


def select(document: Any, path: str) -> list[Any]:
    """All values of `document` at `path` ("items[*].name", "..id"), in document order; none for a wrong path."""
    found = [document]
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            return []
        step = _step(match)
        sources = (deep for value in found for deep in _descend(value)) if match["deep"] else found
        found = [inner for value in sources for inner in step(value)]
        at = match.end()
    return found


def is_valid(path: str) -> bool:
    """Whether `path` can be read to its end."""
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            return False
        at = match.end()
    return True


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for member in _members(value):
        yield from _descend(member)


def _members(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _step(match: re.Match[str]) -> Step:
    if match["every"] or match["star"]:
        return _members
    if match["index"] is not None:
        index = int(match["index"])
        return lambda value: iter(value[index : index + 1 or None] if isinstance(value, list) else ())
    if match["start"] is not None:
        part = slice(*(int(text) if text else None for text in (match["start"], match["end"], match["step"])))
        return lambda value: iter(value[part] if isinstance(value, list) else ())
    name = next(text for text in (match["name"], match["single"], match["double"]) if text is not None)
    return lambda value: iter([value[name]] if isinstance(value, dict) and name in value else [])
