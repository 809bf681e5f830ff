"""request-validation: a request's headers and body against JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit, Verdict
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.schema.validate import Validator


class RequestValidation(Plugin):
    """A JSON body goes on as it was understood, defaults filled in."""

    name = "request-validation"
    priority = 2800
    type = "validation"
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "header_schema": {"type": "object"},
            "body_schema": {"type": "object"},
            "max_req_body_size": {"type": "integer", "minimum": 1, "default": 67108864},
            "rejected_code": {"type": "integer", "minimum": 200, "maximum": 599, "default": 400},
            "rejected_msg": {"type": "string", "minLength": 1, "maxLength": 256},
        },
        "anyOf": [{"required": ["header_schema"]}, {"required": ["body_schema"]}],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Both schemas must compile."""
        for member in ("body_schema", "header_schema"):
            schema = conf.get(member)
            try:
                if isinstance(schema, Mapping):
                    Validator(schema)
            except ValueError as error:
                return str(error)
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        headers, body = conf.get("header_schema"), conf.get("body_schema")
        self._headers = Validator(headers) if headers is not None else None
        self._body = Validator(body) if body is not None else None
        self._names = _names(headers) if headers else []

    async def rewrite(self, ctx: Context) -> Verdict:
        """Refuse what doesn't fit."""
        if self._headers is not None:
            problem = self._headers.check(self._table(ctx))
            if problem:
                return self._refuse(problem)
        return await self._check_body(ctx) if self._body is not None else None

    def _refuse(self, problem: str | None) -> Exit:
        if problem:
            self.scope.log("error", f"req schema validation failed: {problem}")
        told: str | None = self.conf.get("rejected_msg") or problem
        # a body that isn't UTF-8 may be quoted
        return Exit(self.conf["rejected_code"], told.encode("utf-8", "surrogateescape") if told else None)

    def _table(self, ctx: Context) -> dict[str, Any]:
        """ngx.req.get_headers: lower-case names, which the schema may spell otherwise."""
        table: dict[str, Any] = {}
        for lower, _, value in ctx.headers.items:
            held = table.get(lower)
            table[lower] = value if held is None else [*held, value] if isinstance(held, list) else [held, value]
        for name in self._names:
            lower = name.lower().replace("_", "-")
            if lower in table and name not in table:
                table[name] = table[lower]
        return table

    async def _check_body(self, ctx: Context) -> Verdict:
        assert self._body is not None
        body = await ctx.read_body()
        types = ctx.headers.get_all("content-type")
        if not body or len(body) > self.conf["max_req_body_size"] or len(types) > 1:
            return self._refuse(None)
        is_form = bool(types) and types[0].lower().startswith("application/x-www-form-urlencoded")
        try:
            value = uri_args.parse(body.decode("latin-1")) if is_form else lua_json.decode(body)
        except ValueError as error:
            return self._refuse(str(error))
        problem = self._body.check(value)
        if problem:
            return self._refuse(problem)
        if not is_form:
            # what was checked is what the upstream reads
            ctx.body = lua_json.encode(value)
        return None


def _names(schema: Mapping[str, Any]) -> list[str]:
    return [name for name in (*schema.get("properties", ()), *schema.get("required", ())) if name != name.lower()]
