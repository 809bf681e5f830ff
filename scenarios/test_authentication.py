"""Who is let in: JSON web tokens, API keys, and what needs neither."""

from __future__ import annotations

import pytest

USERS = "/bi-basic/v1/users/u-1001"
ORDERS = "/bi-api-jushuitan/v1/orders"


def test_a_login_gives_a_token_that_opens_the_door(gateway):
    login = gateway.post("/bi-basic/v1/auth/login", json={"username": "alice", "password": "alice-password"})
    assert login.status_code == 200
    answer = gateway.get(USERS, headers={"Authorization": f"Bearer {login.json()['token']}"})
    assert (answer.status_code, answer.json()["username"]) == (200, "alice")


def test_a_wrong_password_gives_none(gateway):
    login = gateway.post("/bi-basic/v1/auth/login", json={"username": "alice", "password": "guess"})
    assert login.status_code == 401
    assert "token" not in login.json()


@pytest.mark.parametrize("consumer", ["bi-user", "bi-partner"], ids=["HS256", "RS256"])
def test_a_token_of_either_algorithm_is_accepted(gateway, consumer):
    assert gateway.get(USERS, headers=gateway.bearer(consumer)).status_code == 200


def test_no_token(gateway):
    answer = gateway.get(USERS)
    assert (answer.status_code, answer.json()) == (401, {"message": "Missing JWT token in request"})


def test_an_expired_token(gateway):
    answer = gateway.get(USERS, headers=gateway.bearer("bi-user", expires_in=-10))
    assert (answer.status_code, answer.json()) == (401, {"message": "failed to verify jwt"})


def test_a_token_signed_by_somebody_else(gateway):
    token = gateway.token("bi-user", secret="somebody-elses-secret-of-thirty-two-characters")
    answer = gateway.get(USERS, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (401, {"message": "failed to verify jwt"})


def test_a_token_of_nobody_we_know(gateway):
    answer = gateway.get(USERS, headers=gateway.bearer("bi-user", key="stranger"))
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid user key in JWT token"})


def test_what_is_no_token(gateway):
    answer = gateway.get(USERS, headers={"Authorization": "Bearer abc"})
    assert (answer.status_code, answer.json()) == (401, {"message": "JWT token invalid"})


@pytest.mark.requires("clock")
def test_a_token_ends_when_its_time_is_over(gateway, stack):
    headers = gateway.bearer("bi-user", expires_in=30)
    assert gateway.get(USERS, headers=headers).status_code == 200
    stack.advance(31)
    assert gateway.get(USERS, headers=headers).status_code == 401


@pytest.mark.parametrize("path", ["/bi-api-jushuitan/v1/orders", "/bi-api-leke/v1/products"])
@pytest.mark.parametrize("consumer", ["erp-jushuitan", "shop-leke"])
def test_an_api_key_opens_the_connectors(gateway, path, consumer):
    assert gateway.get(path, headers=gateway.key(consumer)).status_code == 200


def test_no_api_key(gateway):
    answer = gateway.get(ORDERS)
    assert (answer.status_code, answer.json()) == (401, {"message": "Missing API key in request"})


def test_a_wrong_api_key(gateway):
    answer = gateway.get(ORDERS, headers={"apikey": "guess"})
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key in request"})


def test_a_token_is_no_api_key(gateway):
    assert gateway.get(ORDERS, headers=gateway.bearer("bi-user")).status_code == 401


def test_only_the_white_list_is_public(gateway):
    assert gateway.get("/bi-basic/healthz").status_code == 200
    assert gateway.get("/bi-basic/v1/auth/login").status_code == 401, "the login is public for POST alone"
    assert gateway.get("/bi-basic/healthz/more").status_code == 401


@pytest.mark.requires("stubs")
def test_the_key_is_hidden_from_the_service_that_asks_for_it(gateway):
    echo = gateway.get("/bi-api-leke/echo/x", headers=gateway.key("shop-leke")).json()
    assert "apikey" not in {name.lower() for name, _ in echo["headers"]}
