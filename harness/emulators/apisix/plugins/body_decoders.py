"""Bodies as the tables that body-transformer's templates see: JSON, XML, forms."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from harness.emulators.apisix import lua_json, uri_args

Table = Any


def from_json(body: bytes) -> Table:
    """A JSON value; raises ValueError in lua-cjson's words."""
    return lua_json.decode(body)


def from_form(body: bytes) -> Table:
    """The arguments of a form as ngx.decode_args reads them."""
    return readable(uri_args.parse(body.decode("latin-1"))) if body else {}


def from_xml(body: bytes) -> Table:
    """Elements by name without their prefixes, as xml2lua's tree gives them; raises ValueError.

    An element with text alone is that text, several of one name are a list, attributes stand under `_attr`.
    """
    reader = _Tree()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(f"Error Parsing XML: {error}") from error
    return reader.root


class _Tree:
    """expat's call-backs, building nested tables."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[tuple[dict[str, Any], list[str]]] = [(self.root, [])]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        members: dict[str, Any] = {}
        if attributes:
            members["_attr"] = {_local(key): value for key, value in attributes.items()}
        self._open.append((members, []))

    def text(self, text: str) -> None:
        self._open[-1][1].append(text)

    def end(self, name: str) -> None:
        members, pieces = self._open.pop()
        text = "".join(pieces).strip()
        value: Any = members
        if not members:
            value = text
        elif text:
            value = {"1": text, **members}
        parent, local = self._open[-1][0], _local(name)
        held = parent.get(local)
        if held is None:
            parent[local] = value
        elif isinstance(held, list):
            held.append(value)
        else:
            parent[local] = [held, value]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def readable(value: Any) -> Any:
    """Latin-1 texts of a request as JSON's."""
    if isinstance(value, str):
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {readable(name): readable(member) for name, member in value.items()}
    return [readable(member) for member in value] if isinstance(value, list) else value
