"""A Dockerfile as data: stages of instructions, each with its line. Pure; knows no Docker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
#: A word of its own, as BuildKit has it: `$((1<<2))` and `<<<` are none.
_HEREDOC = re.compile(r"(?:^|(?<=\s))\d*<<(-?)([\"']?)(\w+)\2(?=\s|$)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?([-+])([^}]*))?\}|(\w+))")
_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)")
KNOWN = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
#: What may have here-documents.
_WITH_DOCUMENTS = frozenset({"RUN", "COPY", "ADD"})
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
        return self.listed or tuple(self.value.split())

    @property
    def listed(self) -> tuple[str, ...] | None:
        """The elements of the JSON form, None where it isn't one: ['a'] is for a shell, as Docker has it."""
        try:
            found = json.loads(self.value) if self.value.startswith("[") else None
        except ValueError:
            return None
        return tuple(map(str, found)) if isinstance(found, list) else None

    @property
    def pairs(self) -> dict[str, str]:
        """Of ENV, LABEL and ARG: name → value. The old form `ENV name value` is understood."""
        if self.keyword == "ARG":
            declared = [word.partition("=") for word in _words(self.value)]
            return {name: value.strip("\"'") for name, _, value in declared}
        if "=" not in self.value.split()[0]:
            name, _, value = self.value.partition(" ")
            return {name: value.strip()}
        return {name: value.strip("\"'") for name, value in _PAIR.findall(self.value)}


def _words(text: str) -> list[str]:
    """Words, of which a quoted part is one."""
    return re.findall(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'])+""", text)


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
        numbered = {str(number): stage for number, stage in enumerate(self.stages)}
        found = next((stage for stage in self.stages if stage.name == name.lower()), numbered.get(name))
        if found is None:
            raise LookupError(f"no stage is called {name!r}")
        return found

    def _stage_before(self, name: str, stage: Stage) -> Stage | None:
        earlier = self.stages[: self.stages.index(stage)]
        return next((one for one in reversed(earlier) if one.name and one.name == name.lower()), None)

    def is_stage(self, name: str) -> bool:
        """Whether COPY --from takes it for a stage of this file."""
        return name.lower() in {stage.name for stage in self.stages if stage.name} or name.isdigit()

    def instructions(self, target: str = "") -> tuple[Instruction, ...]:
        """All that went into an image, from the bottom up, with what ONBUILD of a stage added to the one upon it."""
        chain = self.lineage(target)
        found: list[Instruction] = []
        for below, stage in zip((None, *chain), chain, strict=False):
            found += [_triggered(one) for one in below.all("ONBUILD")] if below else []
            found += [one for one in stage.instructions if one.keyword != "ONBUILD"]
        return tuple(found)

    def resolved(self, text: str, target: str | None = None) -> str:
        """Text with the defaults of the global arguments filled in; what has none stays as it is.

        With a target, with what that stage and those below it set by ARG and ENV.
        """
        values: dict[str, str] = {}
        for one in self.arguments:
            values.update({name: fill(value, values) for name, value in one.pairs.items()})
        if target is not None:
            above = dict(values)
            for one in self.instructions(target):
                if one.keyword in ("ARG", "ENV"):
                    # ARG without a default takes the global one's
                    values.update({n: fill(v, values) or above.get(n, "") for n, v in one.pairs.items()})
        return fill(text, values)


def fill(text: str, values: Mapping[str, str]) -> str:
    """`$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}` replaced; an unknown name without a default stays."""

    def one(match: re.Match[str]) -> str:
        name, sign, other = match[1] or match[4], match[2], match[3]
        if sign == "+":
            return fill(other, values) if values.get(name) else ""
        if values.get(name) or sign is None:
            return values.get(name, match[0])
        return fill(other, values)

    return _VARIABLE.sub(one, text)


def _triggered(onbuild: Instruction) -> Instruction:
    keyword, _, rest = onbuild.value.partition(" ")
    flags, value = _flags(rest.strip())
    return Instruction(keyword.upper(), value, onbuild.line, flags)


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
        if keyword.upper() not in KNOWN:
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


def _escape(text: str) -> str:
    """The character that continues a line: `# escape=` may say another one at the very top."""
    for line in text.splitlines():
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, here-documents whole; comments and empty lines are passed over."""
    escape = _escape(text)
    lines = iter(enumerate(text.removeprefix("\ufeff").splitlines(), 1))
    parts: list[str] = []
    first = 0
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        first = first if parts else number
        parts.append(stripped.removesuffix(escape).strip())
        if not stripped.endswith(escape):
            yield first, _with_documents(" ".join(filter(None, parts)), lines)
            parts = []
    if parts:
        yield first, " ".join(filter(None, parts))


def _with_documents(logical: str, lines: Iterator[tuple[int, str]]) -> str:
    """The line with its here-documents, which are taken from what follows."""
    logical = logical.replace("\t", " ")
    words = logical.upper().split()
    keyword = words[1] if words[:1] == ["ONBUILD"] and len(words) > 1 else words[0]
    found = [(match[1], match[3]) for match in _HEREDOC.finditer(logical)] if keyword in _WITH_DOCUMENTS else []
    return "\n".join([logical, *(part for dash, end in found for part in _until(lines, end, dash))])


def _until(lines: Iterator[tuple[int, str]], end: str, dash: str) -> Iterator[str]:
    for _, line in lines:
        if (line.lstrip("\t") if dash else line) == end:
            return
        yield line
