"""Kubernetes' quantities, as a platform declares them, in the units that a container daemon takes."""

from __future__ import annotations

#: Suffix → factor; two letters are powers of 1024.
SUFFIXES = {
    **{letter: 1000**power for power, letter in enumerate(("k", "M", "G", "T"), 1)},
    **{f"{letter}i": 1024**power for power, letter in enumerate(("K", "M", "G", "T"), 1)},
}


def cores(quantity: str) -> float:
    """`500m` → 0.5, `2` → 2.0; nothing is 0.0."""
    if quantity.endswith("m"):
        return float(quantity[:-1]) / 1000
    return float(quantity or 0)


def in_bytes(quantity: str) -> int:
    """`256Mi` → 268435456; nothing is 0."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if quantity.endswith(suffix):
            return int(float(quantity.removesuffix(suffix)) * SUFFIXES[suffix])
    return int(float(quantity or 0))
