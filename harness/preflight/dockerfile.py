"""A Dockerfile as data: stages of instructions, each with its line. Pure; knows no Docker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+][^}]*)?\}|(\w+))")
_PAIR = re.compile(r"""(\S+?)=("(?:[^"\\]|\\.)*"|'[^']*'|(?:\\.|\S)*)""")


class DockerfileError(ValueError):
    """Not a Dockerfile; the message says in which line and why."""


@dataclass(frozen=True)
class Instruction:
    """`RUN --mount=… command` is keyword RUN, flags (("mount", "…"),), value "command"; `line` counts from 1."""

    keyword: str
    value: str
    line: int
    flags: tuple[tuple[str, str], ...] = ()

    def flag(self, name: str) -> str | None:
        """The value of the first flag of that name."""
        return next((value for key, value in self.flags if key == name), None)

    @property
    def words(self) -> tuple[str, ...]:
        """The value in words: of the JSON form its elements, else what white space parts."""
        if self.value.startswith("["):
            try:
                return tuple(map(str, json.loads(self.value)))
            except ValueError:
                pass
        return tuple(self.value.split())

    @property
    def pairs(self) -> dict[str, str]:
        """Of ENV, LABEL and ARG: name → value. The old form `ENV name value` is understood."""
        if "=" not in self.value.split()[0]:
            name, _, value = self.value.partition(" ")
            return {name: value.strip()}
        return {name: value.strip("\"'") for name, value in _PAIR.findall(self.value)}


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next: `image` as written, `name` after AS ("" without one)."""

    image: str
    name: str
    line: int
    instructions: tuple[Instruction, ...]

    def all(self, *keywords: str) -> tuple[Instruction, ...]:
        """The instructions of these keywords, in order."""
        return tuple(one for one in self.instructions if one.keyword in keywords)

    def last(self, keyword: str) -> Instruction | None:
        """The one that counts where the last wins: USER, HEALTHCHECK, ENTRYPOINT, CMD."""
        return next((one for one in reversed(self.instructions) if one.keyword == keyword), None)


@dataclass(frozen=True)
class Dockerfile:
    """`arguments` are the ARGs before the first FROM with their defaults."""

    stages: tuple[Stage, ...]
    arguments: tuple[Instruction, ...] = ()

    def lineage(self, target: str = "") -> tuple[Stage, ...]:
        """The stages whose instructions are all in an image: the target (the last without one), and what it is FROM.

        Ordered from the bottom up. Raises LookupError for a target that isn't there.
        """
        chain = [self._target(target)]
        while (below := self._stage_before(chain[0].image, chain[0])) is not None:
            chain.insert(0, below)
        return tuple(chain)

    def _target(self, name: str) -> Stage:
        if not name:
            return self.stages[-1]
        found = next((stage for stage in self.stages if stage.name == name), None)
        if found is None:
            raise LookupError(f"no stage is called {name!r}")
        return found

    def _stage_before(self, name: str, stage: Stage) -> Stage | None:
        earlier = self.stages[: self.stages.index(stage)]
        return next((one for one in reversed(earlier) if one.name and one.name == name.lower()), None)

    def resolved(self, text: str) -> str:
        """Text with the defaults of the global arguments filled in; what has none stays as it is."""
        values = {name: value for one in self.arguments for name, value in one.pairs.items()}
        return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises DockerfileError."""
    arguments: list[Instruction] = []
    stages: list[tuple[Instruction, list[Instruction]]] = []
    for one in _instructions(text):
        if one.keyword == "FROM":
            stages.append((one, []))
        elif stages:
            stages[-1][1].append(one)
        elif one.keyword == "ARG":
            arguments.append(one)
        else:
            raise DockerfileError(f"line {one.line}: {one.keyword} before the first FROM")
    if not stages:
        raise DockerfileError("line 1: there is no FROM")
    return Dockerfile(tuple(_stage(first, rest) for first, rest in stages), tuple(arguments))


def _stage(first: Instruction, rest: Sequence[Instruction]) -> Stage:
    words = first.value.split()
    named = len(words) == 3 and words[1].upper() == "AS"
    if not named and len(words) != 1:
        raise DockerfileError(f"line {first.line}: FROM takes an image, and AS with a name")
    return Stage(words[0], words[2].lower() if named else "", first.line, tuple(rest))


def _instructions(text: str) -> Iterator[Instruction]:
    for line, logical in _logical_lines(text):
        keyword, _, rest = logical.partition(" ")
        if not keyword.isalpha():
            raise DockerfileError(f"line {line}: {keyword!r} is no instruction")
        flags, value = _flags(rest.strip())
        if not value:
            raise DockerfileError(f"line {line}: {keyword.upper()} says nothing")
        yield Instruction(keyword.upper(), value, line, flags)


def _flags(value: str) -> tuple[tuple[tuple[str, str], ...], str]:
    found = []
    while match := _FLAG.match(value):
        found.append((match[1], match[2] or ""))
        value = value[match.end() :]
    return tuple(found), value


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, here-documents whole; comments and empty lines are passed over."""
    lines = iter(enumerate(text.splitlines(), 1))
    parts: list[str] = []
    first = 0
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        first = first if parts else number
        parts.append(stripped.removesuffix("\\").strip())
        if not stripped.endswith("\\"):
            yield first, _with_documents(" ".join(filter(None, parts)), lines)
            parts = []
    if parts:
        yield first, " ".join(filter(None, parts))


def _with_documents(logical: str, lines: Iterator[tuple[int, str]]) -> str:
    """The line with its here-documents, which are taken from what follows."""
    found = [match[2] for match in _HEREDOC.finditer(logical)]
    return "\n".join([logical.replace("\t", " "), *(part for end in found for part in _until(lines, end))])


def _until(lines: Iterator[tuple[int, str]], end: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == end:
            return
        yield line
