"""ai-prompt-template: named templates, filled."""

from __future__ import annotations

import json

import pytest

from harness.emulators.apisix.plugins.ai_prompt_template import AiPromptTemplate

TEMPLATE = {
    "model": "some-model",
    "messages": [{"role": "user", "content": "Explain {{topic}} at level {{complexity}}"}],
}
CONF = {"templates": [{"name": "explain", "template": TEMPLATE}, {"name": "explain", "template": {"model": "late"}}]}


def test_the_named_template_is_filled(build, run, request_of):
    asked = {"template_name": "explain", "topic": "tides", "complexity": 3}
    headers = {"Content-Type": "application/json"}
    ctx = request_of("/", method="POST", headers=headers, body=json.dumps(asked).encode())
    assert run(build(AiPromptTemplate, CONF).rewrite(ctx)) is None
    content = "Explain tides at level 3"
    assert json.loads(ctx.body) == {"model": "some-model", "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "could not get body: request body is empty"),
        (b"{}", "template name is missing in request."),
        (b'{"template_name":"other"}', "template: other not configured."),
    ],
)
def test_what_is_refused(body, message, build, run, request_of):
    verdict = run(build(AiPromptTemplate, CONF).rewrite(request_of("/", method="POST", body=body)))
    assert (verdict.status, verdict.body) == (400, {"message": message})


def test_refused_configurations(refusal):
    assert refusal(AiPromptTemplate, {}) == 'property "templates" is required'
    assert refusal(AiPromptTemplate, {"templates": [{"name": "n"}]}).endswith('property "template" is required')
