"""body-transformer: templates over bodies."""

from __future__ import annotations

import base64

import pytest

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.body_transformer import BodyTransformer

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def asked(build, request_of, run):
    """asked(template conf, body, …) → (the verdict, the body for the upstream)."""

    def play(conf, body=b"", *, target="/b", method="POST", headers=JSON):
        ctx = request_of(target, method=method, headers=headers, body=body)
        return run(build(BodyTransformer, {"request": conf}).rewrite(ctx)), ctx.body

    return play


@pytest.mark.parametrize(
    ("conf", "body", "made"),
    [
        ({"template": '{"hello":"{{name}}","n":{{n + 1}}}'}, b'{"name":"ann","n":4}', b'{"hello":"ann","n":5}'),
        ({"template": "{{name}}{*name*}{{none}}"}, b'{"name":"a\\"/b"}', b'a&quot;&#47;ba"/b'),
        (
            {"template": "{% for i, v in ipairs(list) do %}\n- {{v}}\n{% end %}\nend"},
            b'{"list":[1,"b"]}',
            b"- 1\n- b\nend",
        ),
        ({"template": "{# note #}{{_escape_json(t)}}|{*_escape_json(t)*}"}, b'{"t":"a"}', b'&quot;a&quot;|"a"'),
        ({"template": "{{_ctx.var.uri}} {*_body*}"}, b'{"_body":"mine"}', b'&#47;b {"_body":"mine"}'),
        ({"template": base64.b64encode(b"hi {{name}}").decode()}, '{"name":"ö"}'.encode(), "hi ö".encode()),
        ({"template": "\\{{name}}{{x}}", "input_format": "encoded"}, b"name=a&x=1", b"{{name}}1"),
        (
            {"template": "{{a.b}} {{a.c[2]}} {{a._attr.id}}", "input_format": "xml"},
            b'<n:a id="7"><b>x</b><c>1</c><c>2</c></n:a>',
            b"x 2 7",
        ),
        ({"template": "{{#_body}}", "input_format": "plain"}, b"12345", b"5"),
    ],
)
def test_request_templates(asked, conf, body, made):
    assert asked(conf, body) == (None, made)


def test_get_requests_give_their_arguments(asked):
    assert asked({"template": "{{a}}"}, target="/b?a=1", method="GET", headers={}) == (None, b"1")


@pytest.mark.parametrize(
    ("template", "body", "status", "message"),
    [
        ("x", b"nope", 400, "request body decode: Expected value but found invalid token at character 1"),
        ("{{a.b.c}}", b"{}", 503, "request template rendering: "),
        ("{% if %}", b"{}", 503, "request template compile: "),
    ],
)
def test_requests_that_can_not_be_transformed(asked, template, body, status, message):
    verdict, _ = asked({"template": template}, body)
    assert verdict.status == status
    assert verdict.body["message"].startswith(message)


def test_a_body_that_is_too_large(build, request_of, run):
    plugin = build(BodyTransformer, {"request": {"template": "x"}, "max_req_body_size": 3})
    assert run(plugin.rewrite(request_of("/", method="POST", body=b"four"))).status == 413


@pytest.mark.parametrize(("body", "made"), [(b'{"a":"x<y"}', b"<v>x&lt;y</v>"), (b"notjson", b"")])
def test_responses(build, request_of, body, made):
    plugin, ctx = build(BodyTransformer, {"response": {"template": "<v>{{a}}</v>"}}), request_of("/")
    ctx.response = Headers.of([("Content-Type", "application/json"), ("Content-Length", "9")])
    plugin.header_filter(ctx)
    assert "content-length" not in ctx.response
    assert plugin.body_filter(ctx, body[:3], False) + plugin.body_filter(ctx, body[3:], True) == made


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (
            {},
            'object matches none of the required: ["request"] or ["response"] or ["request","response"]',
        ),
        ({"request": {}}, 'property "request" validation failed: property "template" is required'),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(BodyTransformer, conf) == message


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nLarry\r\n'
    b'--B\r\nContent-Disposition: form-data; name="age"\r\n\r\n10\r\n--B--\r\n'
)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}


@pytest.mark.parametrize("form", [FORM, FORM.replace(b"\r\n", b"\n")])
def test_multipart_forms(asked, form):
    assert asked({"template": '{{name .. " w"}} {{age + 1}}'}, form, headers=MULTIPART) == (None, b"Larry w 11")


def test_multipart_forms_written_anew(asked):
    template = '{% _multipart:set_simple("age", "old") _multipart:delete("name") %}{*_multipart:tostring()*}'
    made = b'--B\r\nContent-Disposition: form-data; name="age"\r\n\r\nold\r\n--B--\r\n'
    assert asked({"template": template}, FORM, headers=MULTIPART) == (None, made)


def test_a_form_without_a_boundary_is_empty(asked):
    assert asked({"template": "{{name}}."}, FORM, headers={"Content-Type": "multipart/form-data"}) == (None, b".")
