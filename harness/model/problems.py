"""What is wrong with a declaration, gathered so that one error tells all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.errors import SpecError


class Problem(NamedTuple):
    """One mistake: `where` is file:line, `path` the key path, `what` a phrase, `mend` what to do about it."""

    where: str
    path: str
    what: str
    mend: str = ""

    def text(self) -> str:
        """`file:line: path: what`, without the mend."""
        return f"{self.where}: {self.path}: {self.what}" if self.path else f"{self.where}: {self.what}"


class DeclarationError(SpecError):
    """A platform file is wrong; `problems` has every mistake found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        if len(self.problems) == 1:
            what = f"{first.path}: {first.what}" if first.path else first.what
            super().__init__(what, where=first.where, mend=first.mend)
        else:
            super().__init__(_listing(self.problems))


def _listing(problems: Sequence[Problem]) -> str:
    lines = [f"the declaration has {len(problems)} mistakes"]
    for problem in problems:
        lines.append(f"  {problem.text()}")
        if problem.mend:
            lines.append(f"    mend: {problem.mend}")
    return "\n".join(lines)


class Problems:
    """Gathers mistakes; `check` raises them all."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, where: str, path: str, what: str, mend: str = "") -> None:
        """Note one mistake."""
        # the same place may be read more than once, as the gateway's defaults are for each service
        if all((known.where, known.what) != (where, what) for known in self._found):
            self._found.append(Problem(where, path, what, mend))

    def check(self) -> None:
        """Raise DeclarationError when anything was noted."""
        if self._found:
            raise DeclarationError(sorted(self._found, key=_place))


def _place(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.where, 0)


def near(word: str, known: Iterable[str]) -> str:
    """A mend that names the nearest known word, or the known ones: "did you mean 'test'?"."""
    from difflib import get_close_matches  # only a mistake needs it

    names = [str(name) for name in known]
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are: {', '.join(names)}" if names else ""
