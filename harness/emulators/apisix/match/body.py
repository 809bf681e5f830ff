"""Variables that lie in the request's body: `post_arg_*`, `post_arg.*` and `graphql_*`.

They see `ctx.body`; whoever matches routes gathers it first when `Router.wants_body` says so.
"""

from __future__ import annotations

import json
import re
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match import arguments
from harness.emulators.apisix.match.expression import Getter
from harness.emulators.apisix.match.graphql import GraphqlError, Operation, parse_operation
from harness.emulators.apisix.match.json_path import select
from harness.emulators.apisix.uri_args import parse

_NOTE = "body variables"
_FORM = "application/x-www-form-urlencoded"


def is_body_variable(name: str) -> bool:
    """Whether the variable can only be told from the request's body."""
    return name.startswith(("post_arg", "graphql_"))


def _text_of_json(value: Any) -> Any:
    """JSON text as Latin-1, as all texts of a request are; numbers and lists stay what they are."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("latin-1")
    if isinstance(value, list):
        return [_text_of_json(member) for member in value]
    if isinstance(value, dict):
        return {_text_of_json(name): _text_of_json(member) for name, member in value.items()}
    return value


def _multipart(body: bytes, content_type: str) -> dict[str, Any]:
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    found: dict[str, Any] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            payload = part.get_payload(decode=True)
            found[name] = payload.decode("latin-1") if isinstance(payload, bytes) else ""
    return found


def _parse_table(ctx: Context) -> Any:
    content_type = ctx.headers.get("content-type") or ""
    if "application/json" in content_type:
        try:
            return _text_of_json(json.loads(ctx.body or b""))
        except ValueError:
            return None
    if _FORM in content_type:
        return parse((ctx.body or b"").decode("latin-1"))
    if "multipart/form-data" in content_type:
        return _multipart(ctx.body or b"", content_type)
    return None


def _table(ctx: Context) -> Any:
    """The body as a table by its Content-Type, parsed once a request; None when it is none."""
    kept = ctx.notes.get(_NOTE)
    if kept is None or kept[0] is not ctx.body:
        kept = ctx.notes[_NOTE] = (ctx.body, _parse_table(ctx))
    return kept[1]


def post_argument(name: str) -> Getter:
    """`post_arg_NAME`: the first value of that field of a form, nothing in other bodies."""

    def get(ctx: Context) -> Any:
        if not (ctx.headers.get("content-type") or "").startswith(_FORM):
            return None
        return arguments.first((ctx.body or b"").decode("latin-1"), name)

    return get


def post_path(path: str) -> Getter:
    """`post_arg.PATH`: a member by dots, or with `[`, `*` or `..` a JSON path, whose matches are a list."""
    if re.search(r"[\[*]", path) or ".." in path:
        return lambda ctx: select(_table(ctx), path) or None
    parts = path.split(".")

    def get(ctx: Context) -> Any:
        value = _table(ctx)
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return get


def graphql(member: str) -> Getter:
    """`graphql_operation`, `graphql_name` and `graphql_root_fields` of the first operation."""

    def get(ctx: Context) -> Any:
        operation = _operation(ctx)
        if operation is None:
            return None
        if member == "root_fields":
            return list(operation.root_fields)
        return {"operation": operation.operation, "name": operation.name}.get(member)

    return get


def _operation(ctx: Context) -> Operation | None:
    note = "graphql operation"
    if note not in ctx.notes:
        text = _document(ctx)
        try:
            ctx.notes[note] = parse_operation(text) if isinstance(text, str) else None
        except (GraphqlError, RecursionError):
            ctx.notes[note] = None
    kept = ctx.notes[note]
    return kept if isinstance(kept, Operation) else None


def _document(ctx: Context) -> Any:
    """The GraphQL text: `query` of a GET, of a JSON POST, else the whole body of a POST."""
    if ctx.method == "GET":
        return arguments.first(ctx.query, "query")
    if ctx.method != "POST" or not ctx.body or len(ctx.body) > 1024 * 1024:
        return None
    if ctx.headers.get("content-type") != "application/json":
        return ctx.body.decode("latin-1")
    try:
        document = json.loads(ctx.body)
    except ValueError:
        return None
    return document.get("query") if isinstance(document, dict) else None
