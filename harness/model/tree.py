"""YAML as a tree whose every node knows its file and line; duplicate keys and YAML 1.1's traps are mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from harness.errors import SpecError
from harness.model.problems import Problems

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: YAML's own types, as the end of their tag.
TAG = "tag:yaml.org,2002:"
#: The types that a platform file is made of.
KINDS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge"})
#: What YAML 1.1 also reads as true or false; YAML 1.2 (and most readers of the file) take them as text.
OLD_BOOLEANS = frozenset({"yes", "no", "on", "off"})


class Scalar(NamedTuple):
    """A single value: `text` as written, `kind` one of str, int, float, bool, null, timestamp."""

    text: str
    kind: str
    where: str


class Items(NamedTuple):
    """A list."""

    nodes: tuple[Node, ...]
    where: str


class Table(NamedTuple):
    """A mapping; `places` says where each key stands."""

    entries: dict[str, Node]
    places: dict[str, str]
    where: str


Node = Scalar | Items | Table


def empty(where: str) -> Table:
    """A mapping without keys."""
    return Table({}, {}, where)


def parse(text: str, name: str, problems: Problems) -> Node:
    """Read one YAML document; `name` is the file as shown in messages. Raises SpecError where it is no YAML."""
    try:
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError(f"not YAML: {error.problem}", where=f"{name}{line}", mend=_syntax_mend(error)) from error
    except yaml.YAMLError as error:
        raise SpecError(f"not YAML: {error}", where=name) from error
    try:
        return empty(f"{name}:1") if root is None else _Builder(name, problems).build(root, "")
    except RecursionError as error:
        raise SpecError("an alias leads back to itself, or the nesting is too deep", where=name) from error


def _syntax_mend(error: yaml.MarkedYAMLError) -> str:
    if "\\t" in str(error.problem) or "token" in str(error.problem):
        return "indent with spaces only, and quote text that begins with a special character or contains ': '"
    return ""


def read(path: Path, name: str, problems: Problems) -> Node:
    """Read a YAML file. Raises SpecError when it can't be read or is no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SpecError(f"can't be read: {reason}", where=name, mend="check the path") from error
    return parse(text, name, problems)


class _Builder:
    """Turns PyYAML's nodes into ours."""

    def __init__(self, name: str, problems: Problems) -> None:
        self._name = name
        self._problems = problems

    def _where(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"

    def build(self, node: yaml.Node, path: str) -> Node:
        if node.tag.removeprefix(TAG) not in KINDS:
            self._problems.add(self._where(node), path, f"unknown tag {node.tag}", "quote text that begins with '!'")
        if isinstance(node, yaml.MappingNode):
            return self._table(node, path)
        if isinstance(node, yaml.SequenceNode):
            nodes = [self.build(child, f"{path}[{index}]") for index, child in enumerate(node.value)]
            return Items(tuple(nodes), self._where(node))
        return Scalar(node.value, node.tag.removeprefix(TAG), self._where(node))

    def _table(self, node: yaml.MappingNode, path: str) -> Table:
        entries: dict[str, Node] = {}
        places: dict[str, str] = {}
        merged: list[Table] = []
        for key, value in node.value:
            if key.tag == f"{TAG}merge":
                merged.extend(self._merged(value, path))
                continue
            name = self._key(key, path)
            below = f"{path}.{name}" if path else name
            if name in entries:
                first = places[name].rpartition(":")[2]
                self._problems.add(self._where(key), below, f"the key stands twice (first in line {first})")
            entries[name] = self.build(value, below)
            places[name] = self._where(key)
        for table in merged:
            entries = {**table.entries, **entries}
            places = {**table.places, **places}
        return Table(entries, places, self._where(node))

    def _key(self, key: yaml.Node, path: str) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._problems.add(self._where(key), path, "a key must be text")
            return "?"
        if key.tag == f"{TAG}bool" and key.value.lower() in OLD_BOOLEANS:
            self._problems.add(self._where(key), path, f"YAML reads the key {key.value} as a boolean", "quote it")
        return str(key.value)

    def _merged(self, value: yaml.Node, path: str) -> Iterator[Table]:
        for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(part, yaml.MappingNode):
                yield self._table(part, path)
            else:
                self._problems.add(self._where(part), path, "only a mapping can be merged with '<<'")


def plain(node: Node, path: str, problems: Problems) -> Any:
    """The node as plain data (dict, list, str, int, float, bool, None), as JSON has it.

    Where YAML 1.1 would read something else than what the eye sees (`no`, `1:30`, `010`) a mistake is noted.
    """
    if isinstance(node, Table):
        return {key: plain(value, f"{path}.{key}", problems) for key, value in node.entries.items()}
    if isinstance(node, Items):
        return [plain(value, f"{path}[{index}]", problems) for index, value in enumerate(node.nodes)]
    return _value(node, path, problems)


def _value(node: Scalar, path: str, problems: Problems) -> Any:
    if node.kind == "null":
        return None
    if node.kind == "bool":
        return boolean(node, path, problems)
    if node.kind == "int":
        return integer(node, path, problems)
    return _float(node) if node.kind == "float" and ":" not in node.text else trapped(node, path, problems)


def trapped(node: Scalar, path: str, problems: Problems) -> str:
    """The text as written; a mistake is noted where `1:30.5` would be a number to YAML 1.1."""
    if node.kind == "float":
        problems.add(node.where, path, f"YAML reads {node.text} as a number of base 60", f"write {node.text!r}")
    return node.text


def _float(node: Scalar) -> float:
    text = node.text.replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def boolean(node: Scalar, path: str, problems: Problems) -> bool:
    """true or false; `yes`, `no`, `on`, `off` are mistakes since their reading differs between YAML versions."""
    if node.text.lower() in OLD_BOOLEANS:
        reading = "true" if node.text.lower() in ("yes", "on") else "false"
        what = f"{node.text} is a boolean in YAML 1.1 and text in YAML 1.2"
        problems.add(node.where, path, what, f"write {reading}, or {node.text!r} in quotes for the text")
    return node.text.lower() in ("true", "yes", "on")


def integer(node: Scalar, path: str, problems: Problems) -> int:
    """A whole number; `010` (octal) and `1:30` (base 60) are mistakes since few would read them so."""
    text = node.text.replace("_", "")
    digits = text.lstrip("+-")
    if ":" in digits or (len(digits) > 1 and digits.isdigit() and digits.startswith("0")):
        base = "base 60" if ":" in digits else "base 8"
        mend = f"quote it for the text ({node.text!r}), or write the decimal number"
        problems.add(node.where, path, f"YAML reads {node.text} as a number of {base}", mend)
        return 0
    return int(text, 0)
