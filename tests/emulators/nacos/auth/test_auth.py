"""Tokens, accounts, and the gate with its closed bypasses."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from harness.clock import ManualClock
from harness.emulators.nacos.auth.accounts import Accounts, Permission
from harness.emulators.nacos.auth.gate import Credentials, Gate, Resource
from harness.emulators.nacos.auth.tokens import TokenError, Tokens
from harness.emulators.nacos.errors import NacosError

#: The secret that old servers shipped with; tokens made with it open real servers to anyone.
WELL_KNOWN = "SecretKey012345678901234567890123456789012345678901234567890123456789"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def gate(clock: ManualClock) -> Gate:
    accounts = Accounts()
    accounts.create_user("root", "pw", admin=True)
    accounts.create_user("dev", "pw")
    return Gate(accounts, Tokens(clock), enabled=True)


ANYTHING = Resource("public", "G", "config", "d")


def test_a_token_is_a_plain_jwt(clock: ManualClock) -> None:
    head, body, _ = Tokens(clock).make("me").split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "HS256"}
    assert json.loads(base64.urlsafe_b64decode(body + "==")) == {"sub": "me", "exp": int(clock.time()) + 18000}


def test_tokens_lapse(clock: ManualClock) -> None:
    tokens = Tokens(clock, ttl=10)
    token = tokens.make("me")
    assert tokens.user_of(token) == "me"
    clock.advance(10)
    with pytest.raises(TokenError, match="token expired!"):
        tokens.user_of(token)


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "....", "e30.e30.", "W10.e30.x"])
def test_garbage_is_no_token(clock: ManualClock, token: str) -> None:
    with pytest.raises(TokenError):
        Tokens(clock).user_of(token)


def test_the_longer_the_key_the_longer_the_hash(clock: ManualClock) -> None:
    for size, name in ((32, "HS256"), (48, "HS384"), (64, "HS512")):
        head = Tokens(clock, secret=base64.b64encode(b"k" * size).decode()).make("me").split(".")[0]
        assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == name


@pytest.mark.parametrize("secret", ["short", base64.b64encode(b"k" * 31).decode(), "not base64!" * 5])
def test_weak_secrets_are_refused(clock: ManualClock, secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        Tokens(clock, secret=secret)


def test_a_token_of_the_well_known_secret_opens_nothing(clock: ManualClock, gate: Gate) -> None:
    forger = Tokens(clock)
    forger._key, forger._name, forger._hash = base64.b64decode(WELL_KNOWN[:68]), "HS384", hashlib.sha384
    forged = forger.make("root")
    with pytest.raises(NacosError):
        gate.check(Credentials(token=forged), "r", ANYTHING)
    with pytest.raises(ValueError, match="well-known"):
        Tokens(clock, secret=WELL_KNOWN)


def test_admins_may_everything_others_what_they_were_given(gate: Gate) -> None:
    dev = Credentials(username="dev", password="pw")
    assert gate.check(Credentials(username="root", password="pw"), "w", ANYTHING) == "root"
    with pytest.raises(NacosError, match="authorization failed!"):
        gate.check(dev, "r", ANYTHING)
    gate.accounts.add_role("reader", "dev")
    gate.accounts.add_permission(Permission("reader", "public:G:config/*", "r"))
    assert gate.check(dev, "r", ANYTHING) == "dev"
    with pytest.raises(NacosError, match="authorization failed!"):
        gate.check(dev, "w", ANYTHING)
    with pytest.raises(NacosError):
        gate.check(dev, "r", Resource("other", "G", "config", "d"))
    with pytest.raises(NacosError):
        gate.check(dev, "r", Resource("", "", "console", "users"))


@pytest.mark.parametrize(
    ("resource", "asked", "fits"),
    [
        (":*:*", "public:G:naming/s", True),
        ("public:*:*", "public:G:naming/s", True),
        ("ns:G:config/a*", "ns:G:config/abc", True),
        ("ns:G:config/a.c", "ns:G:config/abc", False),
        ("ns:*:config/*", "ns:G:naming/s", False),
    ],
)
def test_permission_patterns(resource: str, asked: str, fits: bool) -> None:
    accounts = Accounts()
    accounts.create_user("u", "p")
    accounts.add_role("r", "u")
    accounts.add_permission(Permission("r", resource, "rw"))
    assert accounts.allows("u", "w", asked) is fits


def test_wrong_or_missing_credentials(gate: Gate) -> None:
    for credentials in (Credentials(), Credentials(username="root", password="no"), Credentials(token="a.b.c")):
        with pytest.raises(NacosError) as refused:
            gate.check(credentials, "r", ANYTHING)
        assert refused.value.status == 403


def test_a_blank_server_identity_opens_nothing(gate: Gate) -> None:
    with pytest.raises(NacosError):
        gate.check(Credentials(identity=""), "r", ANYTHING)
    gate.identity_key, gate.identity_value = "server", "secret"
    assert gate.check(Credentials(identity="secret"), "w", ANYTHING) == ""
    with pytest.raises(NacosError):
        gate.check(Credentials(identity="wrong"), "r", ANYTHING)


def test_a_deleted_user_s_token_opens_nothing(gate: Gate) -> None:
    token = gate.tokens.make("dev")
    gate.accounts.delete_user("dev")
    assert gate.identify(Credentials(token=token)) == "dev"  # known by its token still, as on the server
    with pytest.raises(NacosError, match="authorization failed"):
        gate.check(Credentials(token=token), "r", ANYTHING)


def test_account_refusals() -> None:
    accounts = Accounts()
    accounts.create_user("root", "pw", admin=True)
    refusals = {
        "user 'root' already exist!": lambda: accounts.create_user("root", "x"),
        "user ghost not exist!": lambda: accounts.update_user("ghost", "x"),
        "cannot delete admin: root": lambda: accounts.delete_user("root"),
        "user 'ghost' not found!": lambda: accounts.add_role("r", "ghost"),
        "not permitted to create": lambda: accounts.add_role("ROLE_ADMIN", "root"),
        "not permitted to delete": lambda: accounts.delete_role("ROLE_ADMIN", None),
        "role nobody not found!": lambda: accounts.add_permission(Permission("nobody", "*", "r")),
    }
    for words, act in refusals.items():
        with pytest.raises(NacosError, match=words):
            act()
