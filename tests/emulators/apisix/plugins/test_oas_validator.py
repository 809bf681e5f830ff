"""oas-validator: parameters in their styles, bodies by media type, documents by URL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.oas_validator import OasValidator

JSON = {"Content-Type": "application/json"}
SPEC: dict[str, Any] = {
    "openapi": "3.0.2",
    "servers": [{"url": "http://x.test/v1/"}],
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "parameters": [
                    {"name": "tags", "in": "query", "explode": False, "schema": {"$ref": "#/components/schemas/Tags"}},
                    {"name": "X-Level", "in": "header", "required": True, "schema": {"type": "number", "maximum": 5}},
                    {
                        "name": "at",
                        "in": "query",
                        "style": "deepObject",
                        "schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
                    },
                ]
            },
        },
        "/pets/mine": {"get": {}},
        "/files/{name}.{ext}": {"get": {"parameters": [{"name": "ext", "in": "path", "schema": {"enum": ["csv"]}}]}},
        "/pets": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}},
                        "application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Pet"}},
                    },
                }
            }
        },
        "/shapes": {
            "put": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Shape"}}}}
            }
        },
    },
    "components": {
        "schemas": {
            "Tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            "Pet": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "id": {"type": "integer", "readOnly": True},
                    "name": {"type": "string", "nullable": True},
                    "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                    "friend": {"$ref": "#/components/schemas/Pet"},
                },
            },
            "Round": {"type": "object", "required": ["r"], "properties": {"kind": {"enum": ["round"]}}},
            "Flat": {"type": "object", "required": ["w"], "properties": {"kind": {"type": "string"}}},
            "Shape": {
                "oneOf": [{"$ref": "#/components/schemas/Round"}, {"$ref": "#/components/schemas/Flat"}],
                "discriminator": {"propertyName": "kind", "mapping": {"flat": "#/components/schemas/Flat"}},
            },
        }
    },
}


@pytest.fixture
def ask(build: Any, request_of: Any, run: Any) -> Any:
    plugin = build(OasValidator, {"spec": json.dumps(SPEC), "verbose_errors": True})

    def message(target: str, **more: Any) -> str | None:
        verdict = run(plugin.access(request_of(target, **more)))
        return verdict and verdict.body["message"].removeprefix("failed to validate request. ")

    return message


@pytest.mark.parametrize(
    ("target", "headers", "problem"),
    [
        ("/v1/pets/7?tags=a,b", {"x-level": "2.5"}, None),
        ("/v1/pets/7", {}, "header parameter 'X-Level': required parameter is missing"),
        ("/v1/pets/7?tags=a,c", {"X-Level": "1"}, "query parameter 'tags': failed to validate item 2"),
        ("/v1/pets/x", {"X-Level": "1"}, "path parameter 'id': wrong type: expected integer, got string"),
        ("/v1/pets/7?at[x]=no", {"X-Level": "1"}, "query parameter 'at': property \"x\" validation failed"),
        ("/v1/pets/7?at[x]=3", {"X-Level": "1"}, None),
        ("/v1/pets/mine/", {}, None),
        ("/v1/files/report.csv", {}, None),
        ("/v1/files/report.pdf", {}, "path parameter 'ext': matches none of the enum values"),
        ("/pets/7", {}, "no matching operation found for GET /pets/7"),
    ],
)
def test_parameters(ask: Any, target: str, headers: dict[str, str], problem: str | None) -> None:
    told = ask(target, headers=headers)
    assert told is None if problem is None else told.startswith(problem), told


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        (JSON, b'{"name": null, "age": 1, "friend": {"name": "x"}}', None),
        (JSON, b"", "body: request body is required"),
        (JSON, b"{", "body: invalid JSON body: "),
        (JSON, b'{"age": 1}', 'body: property "name" is required'),
        (JSON, b'{"name": "a", "age": 0}', 'body: property "age" validation failed'),
        (
            JSON,
            b'{"name": "a", "friend": {}}',
            'body: property "friend" validation failed: property "name" is required',
        ),
        (JSON, b'{"name": "a", "id": 1}', "body: readOnly property 'id' should not be sent in request"),
        ({"Content-Type": "text/xml"}, b"<a/>", "body: content type text/xml is not declared in the spec"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"name=a+b&age=3", None),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"name=a&age=x", 'body: property "age" validation'),
    ],
)
def test_bodies(ask: Any, headers: dict[str, str], body: bytes, problem: str | None) -> None:
    told = ask("/v1/pets", method="POST", headers=headers, body=body)
    assert told is None if problem is None else told.startswith(problem), told


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"kind": "round", "r": 1}', None),
        (b'{"kind": "flat", "r": 1}', 'body: property "w" is required'),
        (b'{"kind": "odd"}', "body: discriminator value 'odd' does not match any schema"),
        (b"{}", "body: discriminator property 'kind' is missing"),
    ],
)
def test_discriminators(ask: Any, body: bytes, problem: str | None) -> None:
    told = ask("/v1/shapes", method="PUT", headers=JSON, body=body)
    assert told is None if problem is None else told.startswith(problem), told


def test_options(build: Any, request_of: Any, run: Any) -> None:
    spec = json.dumps(SPEC)
    quiet = build(OasValidator, {"spec": spec, "rejection_status_code": 422})
    assert run(quiet.access(request_of("/nope"))) == Exit(422, {"message": "failed to validate request. "})
    lenient = build(OasValidator, {"spec": spec, "reject_if_not_match": False})
    assert run(lenient.access(request_of("/nope"))) is None
    skipping = build(OasValidator, {"spec": spec, "skip_request_header_validation": True})
    assert run(skipping.access(request_of("/v1/pets/7"))) is None


def test_a_document_by_url_is_kept_for_a_while(build: Any, request_of: Any, run: Any, scope: Any) -> None:
    scope.answer = Response(200, json.dumps(SPEC).encode())
    scope.plugin_metadata["oas-validator"] = {"spec_url_ttl": 60}
    plugin = build(OasValidator, {"spec_url": "http://x/s", "spec_url_request_headers": {"A": "b"}})
    for _ in range(2):
        assert run(plugin.access(request_of("/v1/pets/mine"))) is None
    assert [(asked.url, asked.headers) for asked in scope.fetched] == [("http://x/s", [("A", "b")])]
    scope.clock.advance(61)
    scope.answer = ConnectionRefusedError("refused")
    assert run(plugin.access(request_of("/"))) == Exit(500, {"message": "failed to parse openapi spec"})


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"openapi": "2.0"}, "unsupported OpenAPI version: 2.0"),
        ({"openapi": "3.1.0", "a": {"type": "array", "minContains": 1}}, "normalization error: unsupported keyword"),
        ({"openapi": "3.0.0", "a": {"$ref": "#/nowhere"}}, "failed to resolve $ref: cannot resolve"),
        ({"openapi": "3.0.0", "a": {"$ref": "other.json"}}, "failed to resolve $ref: external $ref not supported"),
    ],
)
def test_documents_that_cannot_be_used(
    build: Any, request_of: Any, run: Any, scope: Any, spec: Any, reason: str
) -> None:
    verdict = run(build(OasValidator, {"spec": json.dumps(spec)}).access(request_of("/")))
    assert verdict == Exit(500, {"message": "failed to parse openapi spec"})
    assert scope.logs[-1][1].startswith(reason)


def test_keywords_of_3_1(build: Any, request_of: Any, run: Any) -> None:
    listed = {
        "type": "array",
        "prefixItems": [{"type": "integer"}],
        "items": {"type": "string"},
    }
    content = {"application/json": {"schema": listed}}
    spec = {"openapi": "3.1.0", "paths": {"/a": {"post": {"requestBody": {"content": content}}}}}
    plugin = build(OasValidator, {"spec": json.dumps(spec)})
    assert run(plugin.access(request_of("/a", method="POST", headers=JSON, body=b'[1,"x"]'))) is None
    assert run(plugin.access(request_of("/a", method="POST", headers=JSON, body=b"[1,2]"))).status == 400


def test_schema(refusal: Any) -> None:
    problem = refusal(OasValidator, {"spec": "nope"}) or ""
    assert problem.startswith("invalid JSON string provided, err: ")
    assert refusal(OasValidator, {}) == "value should match only one schema, but matches none"
