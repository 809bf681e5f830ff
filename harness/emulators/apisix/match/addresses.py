"""Sets of IP addresses and networks, as lua-resty-ipmatcher reads them."""

from __future__ import annotations

import socket
from collections.abc import Iterable


class AddressError(ValueError):
    """A text that is neither an IPv4 nor an IPv6 address."""


def _packed(text: str) -> tuple[int, int] | None:
    """(bits, number) of an address, or None; IPv6 may stand in brackets."""
    try:
        return 32, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, ValueError):
        pass
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return 128, int.from_bytes(socket.inet_pton(socket.AF_INET6, bare), "big")
    except (OSError, ValueError):
        return None


class AddressSet:
    """Addresses and networks; `match` is constant in their number (one look-up per prefix length).

    Raises AddressError (worded as the Lua library words it) for a text that is no address.
    """

    __slots__ = ("_any", "_networks", "_seen")

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks: dict[int, dict[int, set[int]]] = {32: {}, 128: {}}
        self._any: set[int] = set()
        self._seen: dict[str, bool] = {}
        for text in texts:
            self._add(text)

    def _add(self, text: str) -> None:
        address, _, mask = text.partition("/")
        packed = _packed(address)
        if packed is None:
            raise AddressError(f"invalid ip address: {address}")
        bits, number = packed
        length = int(mask) if mask.isdecimal() else bits
        if length == 0:
            self._any.add(bits)
        shift = max(bits - length, 0)
        self._networks[bits].setdefault(shift, set()).add(number >> shift)

    def match(self, text: str | None) -> bool:
        """Whether the address is in the set; what is no address is in none."""
        if not isinstance(text, str):
            return False
        known = self._seen.get(text)
        if known is None:
            if len(self._seen) > 1024:
                self._seen.clear()
            known = self._seen[text] = self._look_up(text)
        return known

    def _look_up(self, text: str) -> bool:
        packed = _packed(text)
        if packed is None:
            return False
        bits, number = packed
        if bits in self._any:
            return True
        return any(number >> shift in numbers for shift, numbers in self._networks[bits].items())
