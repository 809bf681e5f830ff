"""Who may call: consumers and their credentials, indexed once per configuration change for each auth plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ConsumerEntry:
    """One (consumer, auth plugin) pair: `auth_conf` is that plugin's configuration, secrets resolved.

    `credential_id` is empty when the plugin stands on the consumer itself.
    """

    name: str
    auth_conf: Mapping[str, Any]
    credential_id: str = ""
    group_id: str = ""
    custom_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    plugins: Mapping[str, Any] = field(default_factory=dict)
    modified_index: int = 0


class ConsumerIndex:
    """The consumers that one auth plugin knows, by the value of its key attribute (key, username, …)."""

    __slots__ = ("entries", "find")

    def __init__(self, entries: tuple[ConsumerEntry, ...], key_attribute: str) -> None:
        self.entries = entries
        keyed = (entry for entry in entries if key_attribute in entry.auth_conf)
        #: the entry whose key attribute equals a text, or None
        self.find: Callable[[str], ConsumerEntry | None] = {
            str(entry.auth_conf[key_attribute]): entry for entry in keyed
        }.get

    def __bool__(self) -> bool:
        return bool(self.entries)
