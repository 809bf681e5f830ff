"""What is refused before a service sees it: patterns in URIs, user agents, addresses."""

from __future__ import annotations

import pytest

USERS = "/bi-basic/v1/users"


@pytest.fixture
def user(gateway):
    return gateway.bearer("bi-user")


@pytest.mark.requires("stubs")
@pytest.mark.parametrize(
    "attack",
    ["?q=<script>alert(1)</script>", "?q=%3Cscript%3E", "?q=1%20UNION%20SELECT%20password", "/.git/config", "/a%00b"],
)
def test_an_attack_is_refused_and_never_arrives(gateway, service, user, attack):
    answer = gateway.get(USERS + attack, headers=user)
    assert answer.status_code in (400, 403), "400 is nginx's own refusal of a NUL"
    assert service("bi-basic").journal == []


def test_the_refusal_says_so(gateway, user):
    answer = gateway.get(f"{USERS}?q=<script>", headers=user)
    assert (answer.status_code, answer.json()) == (403, {"error_msg": "blocked"})


@pytest.mark.parametrize("agent", ["sqlmap/1.7", "Mozilla/5.0 (compatible; NIKTO)"])
def test_a_scanner_is_refused(gateway, user, agent):
    answer = gateway.get(USERS, headers={**user, "User-Agent": agent})
    assert (answer.status_code, answer.json()) == (403, {"message": "blocked"})


def test_an_honest_client_is_not(gateway, user):
    path = "/bi-basic/echo?q=union+station"
    answer = gateway.get(path, headers={**user, "User-Agent": "Mozilla/5.0"})
    assert answer.status_code == 200


def test_a_blocked_address_is_refused(gateway, user):
    refused = gateway.get(USERS, headers={**user, "X-Real-IP": "203.0.113.9"})
    assert (refused.status_code, refused.json()) == (403, {"message": "blocked"})
    assert gateway.get(USERS, headers={**user, "X-Real-IP": "198.51.100.9"}).status_code == 200
