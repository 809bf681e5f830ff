"""ai-prompt-guard: allowed and denied patterns, whose messages count, requests that are none of an AI service."""

from __future__ import annotations

import json

import pytest

from harness.emulators.apisix.plugins.ai_prompt_guard import AiPromptGuard

NOT_ALLOWED = (400, {"message": "Request doesn't match allow patterns"})
DENIED = (400, {"message": "Request contains prohibited content"})
HISTORY = {
    "messages": [
        {"role": "system", "content": "you are a bad robot"},
        {"role": "user", "content": "first bad question"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "text", "text": "good"}, {"type": "text", "text": "question"}]},
    ]
}


@pytest.fixture
def judged(build, run, request_of):
    def play(conf, body, target="/chat"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        verdict = run(build(AiPromptGuard, conf).access(request_of(target, method="POST", body=raw)))
        return verdict and (verdict.status, verdict.body)

    return play


@pytest.mark.parametrize(
    ("conf", "result"),
    [
        ({"deny_patterns": ["bad"]}, None),
        ({"deny_patterns": ["^good question$"]}, DENIED),
        ({"deny_patterns": ["bad"], "match_all_conversation_history": True}, DENIED),
        ({"deny_patterns": ["robot"], "match_all_conversation_history": True}, None),
        ({"deny_patterns": ["robot"], "match_all_conversation_history": True, "match_all_roles": True}, DENIED),
        ({"allow_patterns": ["nice", "go+d"]}, None),
        ({"allow_patterns": ["nice"]}, NOT_ALLOWED),
        ({"allow_patterns": ["good"], "deny_patterns": ["question"]}, DENIED),
    ],
)
def test_patterns(conf, result, judged):
    assert judged(conf, HISTORY) == result


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/messages", {"messages": [{"role": "user", "content": "bad"}]}),
        ("/v1/responses", {"input": "bad", "instructions": "fine"}),
        ("/v1/responses", {"input": [{"content": [{"text": "so"}, {"text": "bad"}]}, "fine"]}),
        ("/v1/responses", {"input": [{"role": "user", "output": "bad"}]}),
        ("/v1/embeddings", {"input": "bad"}),
        ("/model/x/converse", {"messages": [{"role": "user", "content": [{"text": "bad"}]}]}),
    ],
)
def test_each_protocol(target, body, judged):
    assert judged({"deny_patterns": ["bad"]}, body, target) == DENIED
    assert judged({"deny_patterns": ["worse"]}, body, target) is None


def test_with_nothing_to_check_the_request_ends(judged):
    assert judged({"deny_patterns": ["bad"]}, {"messages": [{"role": "system", "content": "bad"}]}) == (200, None)


@pytest.mark.parametrize("body", [b"a=b", {"question": "bad"}, b"3"])
def test_what_is_no_question_to_an_ai(body, judged, scope):
    conf = {"deny_patterns": ["bad"]}
    assert judged(conf, body) is None
    assert judged({**conf, "fail_mode": "warn"}, body) is None
    assert [level for level, message in scope.logs if message.startswith("ai-prompt-guard skipped: ")] == [
        "info",
        "warn",
    ]
    status, told = judged({**conf, "fail_mode": "error"}, body)
    assert status == 400
    assert told["message"]


def test_a_request_without_a_body(judged):
    assert judged({}, b"") == (400, {"message": "Empty request body"})


def test_patterns_are_over_characters(judged):
    body = {"messages": [{"role": "user", "content": "плохо"}]}
    assert judged({"deny_patterns": ["^.{5}$"]}, body) == DENIED


def test_refused_configurations(refusal):
    assert refusal(AiPromptGuard, {"allow_patterns": ["("]}) == "invalid allow_pattern: ("
    assert refusal(AiPromptGuard, {"deny_patterns": ["("]}) == "invalid deny_pattern: ("
