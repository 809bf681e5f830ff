"""oas-validator: requests against an OpenAPI document, given in the configuration or by URL."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.openapi_document import Document
from harness.emulators.apisix.plugins.openapi_values import body_problems, parameter_problems
from harness.emulators.apisix.schema.validate import is_secret_reference

_OFF: Schema = {"type": "boolean", "default": False}
_DEFAULT_TTL = 3600


class OasValidator(Plugin):
    """A document from a URL is kept for the seconds that the metadata say, by the gateway's clock."""

    name = "oas-validator"
    priority = 512
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": {"type": "integer", "minimum": 1, "default": 67108864},
            "spec": {"type": "string", "minLength": 1},
            "spec_url": {"type": "string", "pattern": "^https?://"},
            "spec_url_request_headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "ssl_verify": _OFF,
            "timeout": {"type": "integer", "minimum": 1000, "maximum": 60000, "default": 10000},
            "verbose_errors": _OFF,
            "skip_request_body_validation": _OFF,
            "skip_request_header_validation": _OFF,
            "skip_query_param_validation": _OFF,
            "skip_path_params_validation": _OFF,
            "reject_if_not_match": {"type": "boolean", "default": True},
            "rejection_status_code": {"type": "integer", "minimum": 400, "maximum": 599, "default": 400},
        },
        "oneOf": [{"required": ["spec"]}, {"required": ["spec_url"]}],
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"spec_url_ttl": {"type": "integer", "minimum": 1, "default": _DEFAULT_TTL}},
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The document must be JSON; more is not looked at before a request comes."""
        spec = conf.get("spec")
        if spec is None or is_secret_reference(spec):
            return None
        try:
            lua_json.decode(spec)
        except ValueError as error:
            return f"invalid JSON string provided, err: {error}"
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._own: Document | None = None
        self._fetched: dict[str, tuple[float, Document]] = scope.keep("oas-validator", dict)
        headers = conf.get("spec_url_request_headers") or {}
        self._headers = [(name, str(value)) for name, value in headers.items()]
        self._key = repr((conf.get("spec_url"), conf["ssl_verify"], sorted(self._headers)))

    async def access(self, ctx: Context) -> Exit | None:
        """Judge the request."""
        conf = self.conf
        try:
            document = await self._document()
        except ValueError as error:
            self.scope.log("error", str(error))
            return Exit(500, {"message": "failed to parse openapi spec"})
        body = b"" if conf["skip_request_body_validation"] else await ctx.read_body()
        most = conf["max_req_body_size"]
        if len(body) > most:
            why = f"request size {len(body)} is greater than the maximum size {most} allowed"
            return Exit(500, {"message": f"error reading the request body. err: {why}"})
        problems = "\n".join(self._problems(ctx, document, body))
        if not problems:
            return None
        self.scope.log("error", f"error occurred while validating request [{ctx.method} {ctx.uri}], err: {problems}")
        if not conf["reject_if_not_match"]:
            return None
        # a body that isn't UTF-8 may be quoted
        shown = problems.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        told = shown if conf["verbose_errors"] else ""
        return Exit(conf["rejection_status_code"], {"message": f"failed to validate request. {told}"})

    def _problems(self, ctx: Context, document: Document, body: bytes) -> list[str]:
        found = document.find(ctx.method, ctx.uri)
        if found is None:
            return [f"no matching operation found for {ctx.method} {ctx.uri}"]
        operation, variables = found
        problems: list[str] = []
        if not self.conf["skip_path_params_validation"]:
            problems += parameter_problems(document, operation, "path", variables)
        if not self.conf["skip_query_param_validation"]:
            args = uri_args.parse(ctx.query) if ctx.query else {}
            problems += parameter_problems(document, operation, "query", args)
        if not self.conf["skip_request_header_validation"]:
            problems += parameter_problems(document, operation, "header", dict(ctx.headers))
        if not self.conf["skip_request_body_validation"]:
            problems += body_problems(document, operation, body, ctx.headers.get("content-type"))
        return problems

    async def _document(self) -> Document:
        if "spec" in self.conf:
            if self._own is None:
                self._own = Document(self.conf["spec"])
            return self._own
        until, document = self._fetched.get(self._key, (0.0, None))
        now = self.scope.clock.time()
        if document is None or until <= now:
            document = await self._fetch()
            ttl = (self.scope.metadata("oas-validator") or {}).get("spec_url_ttl", _DEFAULT_TTL)
            self._fetched[self._key] = (now + ttl, document)
        return document

    async def _fetch(self) -> Document:
        url, within = self.conf["spec_url"], self.conf["timeout"] / 1000
        try:
            answer = await self.scope.fetch(
                "GET", url, headers=self._headers, within=within, ssl_verify=self.conf["ssl_verify"]
            )
        except (OSError, TimeoutError) as error:
            raise ValueError(f"failed to fetch spec from URL: {error}") from error
        if answer.status != 200:
            raise ValueError(f"spec URL returned status {answer.status}")
        return Document(answer.body or b"")
