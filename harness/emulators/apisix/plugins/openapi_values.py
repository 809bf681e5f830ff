"""A request's parameters and body, read and judged as an OpenAPI operation declares them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.plugins.openapi_document import Document, Operation

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)\s*")
_DELIMITERS = {"simple": ",", "form": ",", "pipeDelimited": "|", "spaceDelimited": " "}
_PART_NAME = re.compile(r'name="([^"]+)"')
_PART_TYPE = re.compile(r"[Cc]ontent-[Tt]ype:\s*([^\r\n]+)")
_BOUNDARY = re.compile(r"boundary=([^;\s]+)")
_BRACKETS = re.compile(r"\[([^\]]+)\]")


# -- parameters


def parameter_problems(document: Document, operation: Operation, place: str, raw: Mapping[str, Any]) -> list[str]:
    """One line for each parameter at `place` that is missing or wrong."""
    found = []
    for parameter in operation.parameters[place]:
        problem = _parameter_problem(document, parameter, place, raw)
        if problem:
            found.append(f"{place} parameter '{parameter['name']}': {problem}")
    return found


def _parameter_problem(document: Document, parameter: Any, place: str, raw: Mapping[str, Any]) -> str | None:
    name: str = parameter["name"]
    deep = place == "query" and parameter.get("style") == "deepObject"
    value = raw.get(name)
    if place == "header" and value is None:
        value = raw.get(name.lower())
    given = any(key.startswith(f"{name}[") for key in raw) if deep else value not in (None, "")
    if parameter.get("required") and not given:
        return "required parameter is missing"
    schema = parameter.get("schema") or _json_schema(parameter.get("content"))
    if schema is None or (value is None and not deep):
        return None
    read = _read(parameter, schema, place, value, raw)
    if read is None and not parameter.get("required"):
        return None
    return document.problem(schema, read)


def _json_schema(content: Any) -> Any:
    return ((content or {}).get("application/json") or {}).get("schema")


def _read(parameter: Any, schema: Any, place: str, value: Any, raw: Mapping[str, Any]) -> Any:
    if _json_schema(parameter.get("content")) is not None and isinstance(value, str):
        try:
            return lua_json.decode(value)
        except ValueError:
            pass
    if not parameter.get("schema"):
        return value
    style = parameter.get("style") or ("form" if place == "query" else "simple")
    explode = parameter.get("explode", style == "form")
    if style == "deepObject":
        return _deep(parameter["name"], schema, raw)
    if schema.get("type") == "array":
        return [coerce(each, schema.get("items") or {}) for each in _listed(value, style, explode)]
    if schema.get("type") == "object":
        return _object(value, schema, style, explode)
    return coerce(value, schema)


def _listed(value: Any, style: str, explode: bool) -> list[Any]:
    if style not in _DELIMITERS or (style == "form" and explode):
        return value if isinstance(value, list) else [value]
    delimiter = _DELIMITERS[style]
    text = delimiter.join(map(str, value)) if isinstance(value, list) else str(value)
    return list(text.split(delimiter))


def _object(value: Any, schema: Any, style: str, explode: bool) -> Any:
    if style != "simple" or not isinstance(value, str):
        return _coerce_members(value, schema) if isinstance(value, dict) else value
    parts = value.split(",")
    if explode:
        pairs = [part.split("=") for part in parts]
        return _coerce_members({pair[0]: pair[1] for pair in pairs if len(pair) == 2}, schema)
    return _coerce_members(dict(zip(parts[::2], parts[1::2], strict=False)), schema)


def _deep(name: str, schema: Any, raw: Mapping[str, Any]) -> Any:
    """name[key][inner]=value; a choice of schemas takes its first object branch."""
    branches = schema.get("anyOf") or schema.get("oneOf")
    if schema.get("type") == "object" or not branches:
        return _bracketed(name, schema, raw)
    for branch in branches:
        if "object" in _types(branch, set()):
            found = _bracketed(name, branch, raw)
            if found is not None:
                return found
    value = raw.get(name)
    return coerce(value[0] if isinstance(value, list) else value, schema)


def _bracketed(name: str, schema: Any, raw: Mapping[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    keys = [key for key in raw if key.startswith(f"{name}[")]
    for key in keys:
        *outer, last = _BRACKETS.findall(key) or [""]
        holder = found
        for step in outer:
            holder = holder.setdefault(step, {})
        value = raw[key]
        holder[last] = value[0] if isinstance(value, list) else value
    if not keys:
        return None
    _coerce_members(found, schema)
    for member, inner in (schema.get("properties") or {}).items():
        if isinstance(found.get(member), dict) and inner.get("type") == "object":
            _coerce_members(found[member], inner)
    return found


def _coerce_members(value: dict[str, Any], schema: Any) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    for name, member in value.items():
        if name in properties:
            value[name] = coerce(member, properties[name])
    return value


def coerce(value: Any, schema: Any) -> Any:
    """A text as the type that the schema wants; what doesn't read as that stays a text."""
    if not isinstance(value, str):
        return value
    types = _types(schema, set())
    if types & {"integer", "number"} and _NUMBER.fullmatch(value):
        number = float(value)
        return int(number) if number.is_integer() else number
    if "boolean" in types:
        return {"true": True, "1": True, "false": False, "0": False}.get(value, value)
    return value


def _types(schema: Any, seen: set[int]) -> set[str]:
    if not isinstance(schema, dict) or id(schema) in seen:
        return set()
    seen.add(id(schema))
    declared = schema.get("type")
    if declared:
        return {declared} if isinstance(declared, str) else set(declared)
    branches = (branch for word in ("anyOf", "oneOf", "allOf") for branch in schema.get(word) or ())
    return set().union(*(_types(branch, seen) for branch in branches))


# -- the body


def body_problems(document: Document, operation: Operation, body: bytes, content_type: str | None) -> list[str]:
    """What is wrong with a body, a line each."""
    if not body:
        return ["body: request body is required"] if operation.body_required else []
    content = operation.content
    if content is None:
        return []
    if content_type and not any(kind == "*/*" or kind.lower() in content_type.lower() for kind in content):
        return [f"body: content type {content_type} is not declared in the spec"]
    schema = _body_schema(content, content_type)
    if schema is None or content_type is None:
        return []
    return [f"body: {problem}" for problem in _judge(document, schema, body, content_type)]


def _body_schema(content: Mapping[str, Any], content_type: str | None) -> Any:
    named = [media for kind, media in content.items() if content_type and kind.lower() in content_type.lower()]
    usual = [content[kind] for kind in ("*/*", "application/json") if kind in content]
    like_json = [media for kind, media in content.items() if "json" in kind.lower()]
    return next((media.get("schema") for media in (*named, *usual, *like_json, *content.values())), None)


def _judge(document: Document, schema: Any, body: bytes, content_type: str) -> list[str]:
    kind = content_type.lower()
    if "application/json" in kind or "+json" in kind:
        return _judge_json(document, schema, body)
    if "application/x-www-form-urlencoded" in kind:
        fields = _form(body, schema)
        return [*_read_only(fields, schema), *_listed_problem(document.problem(schema, fields))]
    if "multipart/form-data" in kind:
        boundary = _BOUNDARY.search(content_type)
        if not boundary:
            return ["missing multipart boundary"]
        parts = _multipart(body.decode("latin-1"), boundary[1].strip('"'))
        return _listed_problem(document.problem(schema, _coerce_fields(parts, schema)))
    return []


def _judge_json(document: Document, schema: Any, body: bytes) -> list[str]:
    try:
        value = lua_json.decode(body)
    except ValueError as error:
        return [f"invalid JSON body: {error}"]
    problems = _read_only(value, schema)
    try:
        chosen = _discriminated(document, schema, value)
    except ValueError as error:
        problems.append(str(error))
        chosen = schema
    return problems + _listed_problem(document.problem(chosen, value))


def _listed_problem(problem: str | None) -> list[str]:
    return [problem] if problem else []


def _read_only(value: Any, schema: Any) -> list[str]:
    properties = (schema.get("properties") or {}) if isinstance(value, dict) else {}
    wrong = [name for name, inner in properties.items() if inner.get("readOnly") and value.get(name) is not None]
    return [f"readOnly property '{name}' should not be sent in request" for name in wrong]


def _discriminated(document: Document, schema: Any, value: Any) -> Any:
    """The branch that a discriminator chooses; raises ValueError when there is none."""
    discriminator = schema.get("discriminator") or {}
    name = discriminator.get("propertyName")
    branches = schema.get("oneOf") or schema.get("anyOf")
    if not name or not branches:
        return schema
    chosen = value.get(name) if isinstance(value, dict) else None
    if chosen is None:
        raise ValueError(f"discriminator property '{name}' is missing")
    target = (discriminator.get("mapping") or {}).get(chosen)
    for branch in branches:
        parts = [branch, *(branch.get("allOf") or ())]
        if target and any(document.references.get(id(part)) == target for part in parts):
            return branch
    for branch in branches:
        parts = [branch, *(branch.get("allOf") or ())]
        if any(chosen in (((part.get("properties") or {}).get(name) or {}).get("enum") or ()) for part in parts):
            return branch
    raise ValueError(f"discriminator value '{chosen}' does not match any schema")


def _form(body: bytes, schema: Any) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in body.decode("latin-1").split("&") if pair]
    return _coerce_fields({uri_args.unescape(name): uri_args.unescape(text) for name, _, text in pairs}, schema)


def _coerce_fields(fields: dict[str, Any], schema: Any) -> dict[str, Any]:
    for name, inner in (schema.get("properties") or {}).items():
        value = fields.get(name)
        if isinstance(value, str) and inner.get("type") in ("object", "array"):
            try:
                fields[name] = lua_json.decode(value)
            except ValueError:
                continue
        elif isinstance(value, str) and not (inner.get("type") == "boolean" and value in ("0", "1")):
            fields[name] = coerce(value, {"type": inner.get("type")})
    return fields


def _multipart(body: str, boundary: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in body.split(f"--{boundary}")[1:-1]:
        head, found, text = part.removeprefix("\r\n").removesuffix("\r\n").partition("\r\n\r\n")
        name = _PART_NAME.search(head)
        if not found or not name:
            continue
        kind = _PART_TYPE.search(head)
        fields[name[1]] = text
        if kind and ("application/json" in kind[1].lower() or "+json" in kind[1].lower()):
            try:
                fields[name[1]] = lua_json.decode(text.encode("latin-1"))
            except ValueError:
                continue
    return fields
