"""Searching configurations: exact or with `*` wild-cards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.emulators.nacos.config.model import Entry


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; blanks ask nothing. `tags` and `types` are comma lists, `content` is a part of the content."""

    tenant: str
    data_id: str = ""
    group: str = ""
    app_name: str = ""
    tags: str = ""
    types: str = ""
    content: str = ""
    blur: bool = False


def search(entries: Iterable[Entry], query: Query) -> list[Entry]:
    """The entries that fit, oldest first."""
    data_id, group = _matcher(query.data_id, query.blur), _matcher(query.group, query.blur)
    found = [
        entry
        for entry in entries
        if entry.key.tenant == query.tenant
        and data_id(entry.key.data_id)
        and group(entry.key.group)
        and _fits_details(entry, query)
    ]
    return sorted(found, key=lambda entry: entry.id)


def _fits_details(entry: Entry, query: Query) -> bool:
    tags = {tag.strip() for tag in (entry.tags or "").split(",") if tag.strip()}
    wanted = {tag.strip() for tag in query.tags.split(",") if tag.strip()}
    types = {name.strip() for name in query.types.split(",") if name.strip()}
    return (
        (not query.app_name or entry.app_name == query.app_name)
        and (not wanted or bool(wanted & tags))
        and (not types or entry.type in types)
        and _contains(entry.content, query.content, query.blur)
    )


def _contains(content: str, wanted: str, blur: bool) -> bool:
    return not wanted or (wanted.strip("*") in content if blur else wanted == content)


def _matcher(pattern: str, blur: bool) -> Callable[[str], object]:
    if not pattern or (blur and pattern == "*"):
        return lambda name: True
    if blur and "*" in pattern:
        return re.compile(".*".join(re.escape(part) for part in pattern.split("*"))).fullmatch
    return lambda name: name == pattern
