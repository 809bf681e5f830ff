"""Reads typed values out of a mapping of the declaration and notes what is missing, mistyped or unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from harness.model import tree
from harness.model.problems import Problems, near
from harness.model.tree import Items, Node, Scalar, Table

T = TypeVar("T")

#: Gives the text to put in place of `${name}`; raises LookupError(what, mend).
Lookup = Callable[[str], str]

#: `${name}`; `$${name}` is the text `${name}`.
PLACEHOLDER = re.compile(r"\$(\$?)\{([^{}]*)\}")
#: In text of others (plugins, configurations) only secrets are ours: `${…}` there has its own meaning.
SECRET_PLACEHOLDER = re.compile(r"\$(\$?)\{(secret:[^{}]*)\}")
TYPES = {"str": "text", "int": "a whole number", "float": "a number", "bool": "a boolean", "null": "nothing"}


def kind_of(node: Node) -> str:
    """What a node is, in words for a message."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.kind == "str":
        return f"the text {node.text!r}"
    return "nothing" if node.kind == "null" else f"{node.text} ({TYPES.get(node.kind, node.kind)})"


class Context(NamedTuple):
    """What reading needs besides the tree: the list of mistakes and what `${…}` stands for."""

    problems: Problems
    lookup: Lookup

    def filled(self, text: str, where: str, path: str, pattern: re.Pattern[str] = PLACEHOLDER) -> str:
        """`text` with every `${name}` replaced; a name that can't be had is a mistake."""

        def value(match: re.Match[str]) -> str:
            if match[1]:
                return match[0][1:]
            try:
                return self.lookup(match[2])
            except LookupError as error:
                what, mend = error.args
                self.problems.add(where, path, what, mend)
                return ""

        return pattern.sub(value, text) if "${" in text else text

    def with_secrets(self, value: Any, where: str, path: str) -> Any:
        """Plain data with every `${secret:name}` in its texts replaced."""
        if isinstance(value, str):
            return self.filled(value, where, path, SECRET_PLACEHOLDER)
        if isinstance(value, dict):
            return {key: self.with_secrets(below, where, f"{path}.{key}") for key, below in value.items()}
        if isinstance(value, list):
            return [self.with_secrets(below, where, path) for below in value]
        return value


class Reader:
    """One mapping: ask for each key once, then `done` reports the keys that nobody asked for."""

    def __init__(self, node: Node | None, path: str, context: Context, *, where: str = "") -> None:
        self.path = path
        self.context = context
        self.problems = context.problems
        self._asked: list[str] = []
        if isinstance(node, Table):
            self.table = node
        else:
            self.table = tree.empty(node.where if node else where)
            if node is not None:
                self.problem(None, f"a mapping is expected, not {kind_of(node)}", _mapping_mend(node))

    # --- where things are

    def at(self, key: str | None) -> str:
        """The key path of `key`, or of the mapping itself."""
        if key is None:
            return self.path
        return f"{self.path}.{key}" if self.path else key

    def where(self, key: str | None = None) -> str:
        """file:line of a key, or of the mapping where it hasn't the key."""
        return self.table.places.get(key or "", self.table.where)

    def problem(self, key: str | None, what: str, mend: str = "") -> None:
        """Note a mistake at a key, or at the mapping itself."""
        self.problems.add(self.where(key), self.at(key), what, mend)

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self.table.entries

    def names(self) -> Iterable[str]:
        """The keys given."""
        return self.table.entries.keys()

    def node(self, key: str) -> Node | None:
        """The key's node, counted as asked for."""
        self._asked.append(key)
        return self.table.entries.get(key)

    def done(self) -> None:
        """Report each key that was not asked for."""
        for key in self.table.entries:
            if key not in self._asked:
                self.problem(key, "unknown key", near(key, self._asked))

    def _wrong(self, key: str, wanted: str, node: Node, mend: str = "") -> None:
        self.problem(key, f"{wanted} is expected, not {kind_of(node)}", mend)

    # --- single values

    def _scalar(self, key: str, wanted: str, *kinds: str) -> Scalar | None:
        node = self.node(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.kind in kinds:
            return node
        self._wrong(key, wanted, node, _scalar_mend(node, wanted))
        return None

    def require(self, key: str, wanted: str) -> None:
        """Note a mistake when the key is missing."""
        if not self.has(key):
            self.problem(key, f"missing; {wanted} is expected")

    def text(self, key: str, default: str = "", *, pattern: str = "", means: str = "", fill: bool = False) -> str:
        """Text, checked against the whole `pattern`, which `means` explains; `fill` replaces `${…}` in it."""
        node = self._scalar(key, "text", "str", "timestamp")
        if node is None:
            return default
        text = self.context.filled(node.text, node.where, self.at(key)) if fill else node.text
        if not text:
            self.problem(key, "empty text", "write a value, or remove the key")
        elif pattern and not re.fullmatch(pattern, text):
            self.problem(key, f"{text!r} is not {means}")
        return text

    def choice(self, key: str, default: str, allowed: Iterable[str]) -> str:
        """One of the allowed words."""
        node = self._scalar(key, "text", "str")
        if node is None:
            return default
        if node.text not in allowed:
            self.problem(key, f"{node.text!r} is none of {', '.join(allowed)}", near(node.text, allowed))
            return default
        return node.text

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        node = self._scalar(key, "true or false", "bool")
        return default if node is None else tree.boolean(node, self.at(key), self.problems)

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        node = self._scalar(key, "a whole number", "int")
        if node is None:
            return default
        value = tree.integer(node, self.at(key), self.problems)
        return value if self._within(key, value, least, most) else default

    def number(self, key: str, default: float, least: float, most: float) -> float:
        """A number from `least` to `most`."""
        node = self._scalar(key, "a number", "int", "float")
        if node is None:
            return default
        value = tree.plain(node, self.at(key), self.problems)
        if not isinstance(value, int | float):
            return default
        return value if self._within(key, value, least, most) else default

    def _within(self, key: str, value: float, least: float, most: float) -> bool:
        if not least <= value <= most:
            self.problem(key, f"{value:g} is not between {least:g} and {most:g}")
        return least <= value <= most

    # --- composed values

    def texts(
        self, key: str, default: tuple[str, ...] = (), *, pattern: str = "", means: str = "", fill: bool = False
    ) -> tuple[str, ...]:
        """A list of texts; a single text counts as a list of one. What is refused is left out."""
        node = self.node(key)
        if node is None:
            return default
        nodes = node.nodes if isinstance(node, Items) else (node,)
        found = [self._item(key, child, pattern, means) for child in nodes]
        twice = {text for text in found if text and found.count(text) > 1}
        for text in sorted(twice):
            self.problem(key, f"{text!r} stands twice")
        filled = [self.context.filled(text, node.where, self.at(key)) if fill else text for text in found]
        return tuple(text for text in filled if text)

    def _item(self, key: str, node: Node, pattern: str, means: str) -> str:
        if not isinstance(node, Scalar) or node.kind not in ("str", "timestamp"):
            self.problems.add(node.where, self.at(key), f"a list of texts is expected, not {kind_of(node)} in it")
            return ""
        if pattern and not re.fullmatch(pattern, node.text):
            self.problems.add(node.where, self.at(key), f"{node.text!r} is not {means}")
            return ""
        return node.text

    def words(self, key: str) -> tuple[str, ...]:
        """A command: a list of texts, each as written (a number is the text that it looks like)."""
        node = self.node(key)
        if node is None:
            return ()
        if not isinstance(node, Items):
            self._wrong(key, "a list of words", node, 'write ["program", "argument"]')
            return ()
        wrong = [child for child in node.nodes if not isinstance(child, Scalar)]
        for child in wrong:
            self.problems.add(child.where, self.at(key), f"a word is expected, not {kind_of(child)}")
        return tuple(child.text for child in node.nodes if isinstance(child, Scalar))

    def variables(self, key: str) -> Mapping[str, str]:
        """A mapping of texts, each as written (`1.10` stays `1.10`), with `${…}` replaced."""
        reader = self.below(key)
        found = {}
        for name in reader.names():
            node = reader.node(name)
            if isinstance(node, Scalar) and node.kind != "null":
                found[name] = self.context.filled(node.text, node.where, reader.at(name))
            else:
                reader.problem(name, f"text is expected, not {kind_of(node)}" if node else "text is expected")
        return found

    def below(self, key: str) -> Reader:
        """The reader of a mapping under `key`, empty when it isn't given."""
        return Reader(self.node(key), self.at(key), self.context, where=self.where(key))

    def each(self, key: str, build: Callable[[str, Reader], T]) -> dict[str, T]:
        """A mapping of named mappings: name → what `build` makes of it."""
        reader = self.below(key)
        return {name: build(name, reader.below(name)) for name in reader.names()}

    def object(self, key: str) -> dict[str, Any]:
        """A mapping as plain data, {} when it isn't given; `${secret:name}` is replaced in it."""
        node = self.node(key)
        if node is None:
            return {}
        if not isinstance(node, Table):
            self._wrong(key, "a mapping", node, _mapping_mend(node))
            return {}
        data = tree.plain(node, self.at(key), self.problems)
        found: dict[str, Any] = self.context.with_secrets(data, self.where(key), self.at(key))
        return found

    def objects(self, key: str) -> dict[str, dict[str, Any]]:
        """A mapping of mappings as plain data, such as plugin name → configuration."""
        reader = self.below(key)
        return {name: reader.object(name) for name in reader.names()}


def _mapping_mend(node: Node) -> str:
    return "write {} for an empty one" if isinstance(node, Scalar) and node.kind == "null" else ""


def _scalar_mend(node: Node, wanted: str) -> str:
    if isinstance(node, Scalar) and node.kind == "null":
        return "write a value, or remove the key"
    if isinstance(node, Scalar) and wanted == "text":
        return f"put it in quotes: {node.text!r}"
    return ""
