"""aws-lambda: keys, and Signature 4 as AWS's own examples have it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.aws_lambda import AwsLambda, signed

CONF = {"function_uri": "https://id.lambda-url.test/default"}
IAM = {"accesskey": "AKIDEXAMPLE", "secretkey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


def test_the_signature_of_the_published_example():
    """The worked example of AWS's guide to signing: IAM's ListUsers on 30 August 2015."""
    iam = {**IAM, "aws_region": "us-east-1", "service": "iam"}
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "iam.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
        "connection": "keep-alive",
    }
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    query = "Action=ListUsers&Version=2010-05-08"
    assert signed(iam, now, "GET", "/", query, headers, b"") == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


@pytest.fixture
def sent(build, run, request_of, scope):
    def play(authorization, target="/l?b=2&a=x%20y&a=1&c", **headers):
        scope.answer = Response(200, b"ok", [])
        conf = {**CONF, **({"authorization": authorization} if authorization is not None else {})}
        assert run(build(AwsLambda, conf).access(request_of(target, headers=headers))).body == b"ok"
        return scope.fetched[-1]

    return play


def test_a_key_wins_over_a_signature(sent):
    headers = dict(sent({"apikey": "k", "iam": IAM}).headers)
    assert (headers["x-api-key"], "authorization" in headers) == ("k", False)


def test_a_request_is_signed_with_the_query_that_is_sent(sent, scope):
    request = sent({"iam": IAM})
    headers = dict(request.headers)
    assert request.url == "https://id.lambda-url.test/default?a=1&a=x%20y&b=2&c="
    now = datetime.fromtimestamp(scope.clock.time(), UTC)
    told = headers.pop("authorization")
    iam = {**IAM, "aws_region": "us-east-1", "service": "execute-api"}
    assert told == signed(iam, now, "GET", "/default", request.url.partition("?")[2], headers, b"")
    assert headers["x-amz-date"] == f"{now:%Y%m%dT%H%M%SZ}"


@pytest.mark.parametrize("authorization", [None, {}, {"iam": IAM}])
def test_the_clients_own_credentials_stay(authorization, sent):
    assert dict(sent(authorization, Authorization="mine").headers)["authorization"] == "mine"
    assert dict(sent(authorization, **{"X-Api-Key": "mine"}).headers)["x-api-key"] == "mine"


def test_refused_configurations(refusal):
    wrong = {**CONF, "authorization": {"iam": {"accesskey": "a"}}}
    assert refusal(AwsLambda, wrong).endswith('property "secretkey" is required')
