"""When the Nacos client logs in: at first, when its token is used up, and when the server has forgotten it."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.clients import NacosClient
from harness.errors import RemoteError


class Tokens:
    """Gives out numbered tokens and takes the newest alone."""

    def __init__(self, ttl: float) -> None:
        self.ttl = ttl
        self.given = 0
        self.valid = ""

    def reply(self, asked):
        if asked.target == "/nacos/v1/auth/login":
            if parse_qs(asked.body) != {"username": ["nacos"], "password": ["p&w"]}:
                return 403, "unknown user!"
            self.given += 1
            self.valid = f"token-{self.given}"
            return 200, json.dumps({"accessToken": self.valid, "tokenTtl": self.ttl, "globalAdmin": True})
        token = parse_qs(urlsplit(asked.target).query).get("accessToken", [""])[0]
        return (200, "content") if token and token == self.valid else (403, '{"message":"token invalid!"}')


def client(server, tokens, password="p&w"):
    server.reply = tokens.reply
    return NacosClient(server.url, username="nacos", password=password)


def test_one_login_for_many_calls(server):
    tokens = Tokens(ttl=18000)
    nacos = client(server, tokens)
    assert [nacos.config("a") for _ in range(3)] == ["content"] * 3
    assert tokens.given == 1


def test_a_token_is_renewed_before_it_ends(server):
    tokens = Tokens(ttl=0)
    nacos = client(server, tokens)
    assert [nacos.config("a") for _ in range(3)] == ["content"] * 3
    assert tokens.given == 3


def test_a_server_started_anew_is_logged_in_to_again(server):
    tokens = Tokens(ttl=18000)
    nacos = client(server, tokens)
    nacos.config("a")
    tokens.valid = ""
    assert nacos.config("a") == "content"


def test_a_refusal_that_a_login_does_not_mend(server):
    tokens = Tokens(ttl=18000)
    nacos = client(server, tokens)
    nacos.config("a")
    server.reply = lambda asked: tokens.reply(asked) if "login" in asked.target else (403, "authorization failed!")
    with pytest.raises(RemoteError, match="authorization failed!"):
        nacos.config("a")


def test_a_wrong_password(server):
    with pytest.raises(RemoteError) as caught:
        client(server, Tokens(ttl=1), password="s3cret").config("a")
    assert "POST /nacos/v1/auth/login was refused: 403 unknown user!" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_without_a_user_nothing_is_sent_along(server):
    server.reply = lambda asked: (404, "config data not exist\n")
    assert NacosClient(server.url).config("a", namespace="public") is None
    assert server.asked[0].target == "/nacos/v1/cs/configs?dataId=a&group=DEFAULT_GROUP&tenant="


def test_namespaces(server):
    answer = {
        "code": 200,
        "data": [{"namespace": "", "namespaceShowName": "public"}, {"namespace": "t", "namespaceShowName": "T"}],
    }
    server.reply = lambda asked: (200, json.dumps(answer))
    assert NacosClient(server.url).namespaces() == {"public": "public", "t": "T"}
