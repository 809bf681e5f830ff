"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`check` is the check's name, `where` file:line, `what` is wrong, `mend` is what to do about it."""

    check: str
    where: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} [{self.check}]\n  mend: {self.mend}"
