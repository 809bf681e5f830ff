"""ai-prompt-decorator: messages before and after, in each protocol."""

from __future__ import annotations

import json

import pytest

from harness.emulators.apisix.plugins.ai_prompt_decorator import AiPromptDecorator

BEFORE = {"role": "system", "content": "be brief"}
AFTER = {"role": "user", "content": "in English"}
ASKED = {"role": "user", "content": "hello"}
BOTH = {"prepend": [BEFORE], "append": [AFTER]}


def decorated(build, run, request_of, conf, body, target="/chat"):
    ctx = request_of(target, method="POST", body=json.dumps(body).encode())
    assert run(build(AiPromptDecorator, conf).rewrite(ctx)) is None
    return json.loads(ctx.body)


@pytest.mark.parametrize(
    ("target", "body", "result"),
    [
        ("/chat", {"messages": [ASKED]}, {"messages": [BEFORE, ASKED, AFTER]}),
        ("/chat", {}, {"messages": [BEFORE, AFTER]}),
        ("/v1/messages", {"system": "s"}, {"system": "s", "messages": [BEFORE, AFTER]}),
        ("/v1/responses", {"input": "hi"}, {"instructions": "be brief", "input": "hi\nin English"}),
        (
            "/v1/responses",
            {"input": [], "instructions": "old"},
            {
                "instructions": "be brief\nold",
                "input": [{"type": "message", "role": "user", "content": "in English"}],
            },
        ),
        (
            "/model/x/converse",
            {"messages": []},
            {"system": [{"text": "be brief"}], "messages": [{"role": "user", "content": [{"text": "in English"}]}]},
        ),
        # no place for messages
        ("/v1/embeddings", {"input": "text"}, {"input": "text"}),
        ("/other", {"a": 1}, {"a": 1}),
    ],
)
def test_both_ends(target, body, result, build, run, request_of):
    assert decorated(build, run, request_of, BOTH, body, target) == result


def test_requests_do_not_gather_what_others_got(build, run, request_of):
    plugin = build(AiPromptDecorator, BOTH)
    for _ in range(2):
        ctx = request_of("/chat", method="POST", body=json.dumps({"messages": [ASKED]}).encode())
        run(plugin.rewrite(ctx))
        assert json.loads(ctx.body)["messages"] == [BEFORE, ASKED, AFTER]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "could not get body: request body is empty"),
        (b"{", 400, "could not parse JSON request body: Expected object key string but found T_END at character 2"),
        (b'{"a":1}', 400, "could not get body: request size 7 is greater than the maximum size 6 allowed"),
        (b"3", 500, None),
    ],
)
def test_bodies_that_are_none(body, status, message, build, run, request_of):
    limit = {"max_req_body_size": 6}
    verdict = run(build(AiPromptDecorator, {**BOTH, **limit}).rewrite(request_of("/", method="POST", body=body)))
    assert (verdict.status, verdict.body) == (status, {"message": message} if message else None)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "object matches none of the required"),
        ({"prepend": [{"role": "tool", "content": "c"}]}, 'property "prepend" validation failed: '),
        ({"append": [{"role": "user", "content": ""}]}, 'property "append" validation failed: '),
    ],
)
def test_refused_configurations(conf, message, refusal):
    assert refusal(AiPromptDecorator, conf).startswith(message)
