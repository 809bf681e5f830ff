"""OpenAPI 3.0 and 3.1 documents: references put in place, schemas brought to draft 7, operations found by request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.schema.validate import Validator

_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"})
_SCHEMA_MARKS = ("type", "properties", "items", "allOf", "anyOf", "oneOf", "enum")
_NO_EQUIVALENT = ("unevaluatedProperties", "unevaluatedItems")
_DROPPED = ("$anchor", "contentMediaType", "contentEncoding", "contentSchema", "examples", "$comment")
_VARIABLE = re.compile(r"\{([^}]+)\}")
_ORIGIN = re.compile(r"https?://[^/]*(/.*)")


@dataclass(slots=True)
class Operation:
    """One method of one path: `parameters` by place (path, query, header), `content` by media type."""

    method: str
    pattern: re.Pattern[str]
    names: list[str]
    fixed: int  # characters before the first variable: the longer wins, as in a radix tree
    parameters: dict[str, list[dict[str, Any]]]
    content: dict[str, Any] | None
    body_required: bool


class Document:
    """A document read from JSON; raises ValueError for one that can't be used."""

    def __init__(self, text: str | bytes) -> None:
        try:
            self.root = lua_json.decode(text)
        except ValueError as error:
            raise ValueError(f"failed to parse spec: invalid JSON: {error}") from error
        version = self.root.get("openapi") if isinstance(self.root, dict) else None
        if not isinstance(version, str):
            raise ValueError("missing or invalid 'openapi' field")
        if version[:3] not in ("3.0", "3.1"):
            raise ValueError(f"unsupported OpenAPI version: {version}")
        #: id of a referred object → the reference (a discriminator's mapping names it)
        self.references: dict[int, str] = {}
        _References(self.root, self.references).resolve()
        for node in _schemas(self.root, set()):
            _to_draft_7(node) if version.startswith("3.0") else _from_2020(node)
        self._operations = sorted(self._collect(), key=lambda operation: -operation.fixed)
        self._validators: dict[int, Validator | None] = {}

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation of a request and the variables of its path."""
        if len(path) > 1:
            path = path.removesuffix("/")
        for operation in self._operations:
            match = operation.pattern.fullmatch(path) if operation.method == method else None
            if match:
                return operation, dict(zip(operation.names, match.groups(), strict=True))
        return None

    def problem(self, schema: Any, value: Any) -> str | None:
        """What is wrong with a value; a schema that doesn't compile judges nothing."""
        key = id(schema)
        if key not in self._validators:
            try:
                self._validators[key] = Validator(schema)
            except ValueError:
                self._validators[key] = None
        validator = self._validators[key]
        return validator.check(value) if validator else None

    def _collect(self) -> Iterator[Operation]:
        bases = [_base(server.get("url") or "") for server in self.root.get("servers") or ()] or [""]
        for template, item in (self.root.get("paths") or {}).items():
            for method, operation in item.items():
                if method.upper() in _METHODS:
                    for base in bases:
                        yield _operation(method.upper(), base + template, item, operation)


def _base(url: str) -> str:
    match = _ORIGIN.fullmatch(url)
    path = match[1] if match else url
    return path.removesuffix("/")


def _operation(method: str, template: str, item: dict[str, Any], operation: dict[str, Any]) -> Operation:
    parts = _VARIABLE.split(template)
    pattern = "".join("([^/]+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    named = {
        (each["name"], each["in"]): each for holder in (item, operation) for each in holder.get("parameters") or ()
    }
    places: dict[str, list[dict[str, Any]]] = {"path": [], "query": [], "header": []}
    for (_, place), parameter in named.items():
        if place in places:
            places[place].append(parameter)
    body = operation.get("requestBody") or {}
    fixed = len(template) + 1 if len(parts) == 1 else len(parts[0])
    required = bool(body.get("required"))
    return Operation(method, re.compile(pattern), parts[1::2], fixed, places, body.get("content"), required)


class _References:
    """One walk that replaces every `$ref` by what it refers to; what is shared stays shared, circles too."""

    def __init__(self, root: Any, names: dict[int, str]) -> None:
        self._root = root
        self._names = names
        self._found: dict[str, Any] = {}
        self._walked: set[int] = set()
        self._anchors = {node["$dynamicAnchor"]: node for node in _dicts(root, set()) if "$dynamicAnchor" in node}

    def resolve(self) -> None:
        self._walk(self._root)

    def _walk(self, node: Any) -> None:
        if not isinstance(node, dict | list) or id(node) in self._walked:
            return
        self._walked.add(id(node))
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if isinstance(value, dict) and ("$ref" in value or "$dynamicRef" in value):
                node[key] = self._instead(value)
            else:
                self._walk(value)

    def _instead(self, node: dict[str, Any]) -> Any:
        word = "$ref" if "$ref" in node else "$dynamicRef"
        target = self._target(node["$ref"]) if word == "$ref" else self._anchors.get(node[word].removeprefix("#"))
        if target is None:
            return node
        self._walk(target)
        siblings = {name: value for name, value in node.items() if name != word}
        self._walk(siblings)
        return {"allOf": [target, siblings]} if siblings else target

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str):
            raise ValueError("failed to resolve $ref: invalid $ref type")
        if reference not in self._found:
            if not reference.startswith("#"):
                raise ValueError(f"failed to resolve $ref: external $ref not supported: {reference}")
            self._found[reference] = found = self._pointed(reference)
            self._names[id(found)] = reference
        return self._found[reference]

    def _pointed(self, reference: str) -> Any:
        current = self._root
        for token in filter(None, reference[1:].split("/")):
            name = token.replace("~1", "/").replace("~0", "~")
            try:
                current = current[int(name)] if isinstance(current, list) else current[name]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                text = f"cannot resolve $ref '{reference}': key not found: '{name}'"
                raise ValueError(f"failed to resolve $ref: {text}") from error
        return current


def _dicts(node: Any, seen: set[int]) -> Iterator[dict[str, Any]]:
    if not isinstance(node, dict | list) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, dict):
        yield node
    for value in list(node.values() if isinstance(node, dict) else node):
        yield from _dicts(value, seen)


def _schemas(node: Any, seen: set[int]) -> Iterator[dict[str, Any]]:
    return (found for found in _dicts(node, seen) if any(found.get(mark) for mark in _SCHEMA_MARKS))


def _to_draft_7(schema: dict[str, Any]) -> None:
    """3.0: `nullable` becomes a type, exclusive limits become numbers."""
    for exclusive, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(exclusive) is True and limit in schema:
            schema[exclusive] = schema.pop(limit)
        elif isinstance(schema.get(exclusive), bool):
            del schema[exclusive]
    schema.pop("example", None)
    if schema.get("nullable") is not True:
        return
    del schema["nullable"]
    if "enum" in schema or "const" in schema:
        _nullable_choice(schema)
    elif isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    elif isinstance(schema.get("type"), list) and "null" not in schema["type"]:
        schema["type"].append("null")


def _nullable_choice(schema: dict[str, Any]) -> None:
    original = dict(schema)
    schema.clear()
    if "enum" in original:
        original["enum"] = [value for value in original["enum"] if value is not None]
    only_null = original.get("const", 0) is None or (original.get("enum") == [] and not original.get("const"))
    schema.update({"type": "null"} if only_null else {"anyOf": [original, {"type": "null"}]})


def _from_2020(schema: dict[str, Any]) -> None:
    """3.1: keywords of draft 2020-12 under the names of draft 7; raises ValueError for those that have none."""
    schema.pop("$dynamicAnchor", None)
    if "$dynamicRef" in schema:
        raise ValueError(f"normalization error: unresolved $dynamicRef: {schema['$dynamicRef']}")
    for word in _NO_EQUIVALENT:
        if word in schema:
            raise ValueError(f"normalization error: unsupported OpenAPI 3.1 keyword: {word}")
    if "minContains" in schema or "maxContains" in schema:
        raise ValueError("normalization error: unsupported keyword: minContains/maxContains")
    if "prefixItems" in schema:
        rest = schema.get("items")
        schema["items"] = schema.pop("prefixItems")
        if isinstance(rest, dict):
            schema["additionalItems"] = rest
    if "$defs" in schema:
        schema["definitions"] = schema.pop("$defs")
    for word in ("dependentRequired", "dependentSchemas"):
        schema.setdefault("dependencies", {}).update(schema.pop(word)) if word in schema else None
    for word in _DROPPED:
        schema.pop(word, None)
