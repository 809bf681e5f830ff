"""Bodies as the tables that body-transformer's templates see: JSON, XML, forms."""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from harness.emulators.apisix import lua_json, uri_args

Table = Any
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_BLANK_LINE = re.compile(r"\r?\n\r?\n")
_PART_NAME = re.compile(r'[;\s]name="?([^";\r\n]+)', re.IGNORECASE)


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


def from_multipart(body: bytes, content_type: str) -> list[dict[str, Any]]:
    """The parts of a form as {"name", "headers", "value"}; what is no part is passed over, as Kong's reader does it.

    Texts are Latin-1, one character a byte.
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        return []
    text = body.decode("latin-1")
    parts = []
    for piece in text.split(f"--{match[1] or match[2]}")[1:]:
        head, *rest = _BLANK_LINE.split(piece.lstrip("\r\n"), maxsplit=1)
        name = _PART_NAME.search(head)
        if rest and name:
            value = rest[0].removesuffix("\n").removesuffix("\r")
            parts.append({"name": name[1], "headers": head.splitlines(), "value": value})
    return parts


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart Content-Type, empty without one."""
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]) if match else ""


def values_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The values by name, a list where a name comes more than once."""
    found: dict[str, Any] = {}
    for part in parts:
        name, value = readable(part["name"]), readable(part["value"])
        held = found.get(name)
        found[name] = value if held is None else [*(held if isinstance(held, list) else [held]), value]
    return found


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
