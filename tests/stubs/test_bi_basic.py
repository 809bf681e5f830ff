"""bi-basic: tokens, users, tenants and the identity that a gateway added, over HTTP and gRPC."""

from __future__ import annotations

import time

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stubs.bi_basic import basic_pb2 as pb
from stubs.bi_basic.basic_pb2_grpc import BasicStub

SECRET = "bi-basic-development-secret-0123456789"
ALICE = {"username": "alice", "password": "alice-password"}


def test_a_login_gives_a_token_that_the_configured_secret_verifies(bi_basic):
    answer = bi_basic.http.post("/v1/auth/login", json=ALICE).json()
    claims = jwt.decode(answer["token"], SECRET, algorithms=["HS256"])
    assert (claims["key"], claims["sub"], claims["tenant"]) == ("bi-user", "u-1001", "acme")
    assert claims["exp"] == pytest.approx(time.time() + 3600, abs=5)
    assert (answer["expires_in"], answer["token_type"], answer["alg"]) == (3600, "Bearer", "HS256")


def test_a_login_may_ask_for_an_expired_token(bi_basic):
    token = bi_basic.http.post("/v1/auth/login", json={**ALICE, "ttl_seconds": -10}).json()["token"]
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, SECRET, algorithms=["HS256"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong"}, 401),
        ({"username": "nobody"}, 401),
        ({"alg": "none"}, 422),
        ({"alg": "RS256"}, 422),
        ({"ttl_seconds": 10**6}, 422),
    ],
)
def test_a_login_is_refused(bi_basic, change, status):
    assert bi_basic.http.post("/v1/auth/login", json={**ALICE, **change}).status_code == status


def test_rs256_signs_with_the_configured_private_key(warm, tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    config = tmp_path / "bi-basic.yaml"
    lines = "".join(f"    {line}\n" for line in pem.splitlines())
    config.write_text(f"jwt:\n  algorithm: RS256\n  key: rsa-user\n  private_key: |\n{lines}")
    replica = warm.start("bi-basic", "basic-rs256", CONFIG_FILE=str(config))
    token = replica.http.post("/v1/auth/login", json=ALICE).json()["token"]
    assert jwt.decode(token, key.public_key(), algorithms=["RS256"])["key"] == "rsa-user"
    shown = replica.http.get("/_stub/config").json()
    assert (shown["source"], shown["config"]["jwt"]["private_key"]) == ("file", "**********")
    assert "PRIVATE" not in replica.log.read_text()


def test_users_and_tenants(bi_basic):
    user = bi_basic.http.get("/v1/users/u-1001").json()
    assert (user["username"], user["tenant"], "password" in user) == ("alice", "acme", False)
    assert bi_basic.http.get("/v1/users?tenant=globex").json()["total"] == 1
    assert bi_basic.http.get("/v1/tenants/acme").json()["name"] == "Acme Trading"
    assert bi_basic.http.get("/v1/tenants").json()["total"] == 2
    assert bi_basic.http.get("/v1/users/u-9").status_code == 404
    assert bi_basic.http.get("/v1/tenants/none").status_code == 404


def test_whoami_shows_the_identity_a_gateway_added(bi_basic):
    headers = {
        "X-Consumer-Username": "alice",
        "X-Credential-Identifier": "cred-1",
        "X-Request-Id": "rid",
        "X-Real-IP": "10.0.0.9",
        "X-Forwarded-For": "10.0.0.9",
        "X-Tenant-Id": "acme",
        "Cookie": "not=shown",
    }
    answer = bi_basic.http.get("/v1/whoami", headers=headers).json()
    assert answer["identity"] == {
        "x-consumer-username": "alice",
        "x-credential-identifier": "cred-1",
        "x-request-id": "rid",
        "x-real-ip": "10.0.0.9",
        "x-forwarded-for": "10.0.0.9",
    }
    assert (answer["tenant"], answer["request_id"]) == ("acme", "rid")


def test_the_same_over_grpc(bi_basic):
    with bi_basic.channel() as channel:
        stub = BasicStub(channel)
        token = stub.Login(pb.LoginRequest(**ALICE, ttl_seconds=60)).token
        assert jwt.decode(token, SECRET, algorithms=["HS256"])["tenant"] == "acme"
        assert stub.GetUser(pb.GetUserRequest(id="u-1002")).username == "bob"
        assert stub.ListUsers(pb.ListUsersRequest()).total == 2
        assert stub.GetTenant(pb.GetTenantRequest(id="globex")).plan == "standard"
        assert [tenant.id for tenant in stub.ListTenants(pb.ListTenantsRequest()).tenants] == ["acme", "globex"]
        me = stub.WhoAmI(pb.WhoAmIRequest(), metadata=[("x-consumer-username", "alice"), ("x-request-id", "r")])
        assert (dict(me.identity), me.replica) == ({"x-consumer-username": "alice", "x-request-id": "r"}, "bi-basic-0")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.LoginRequest(username="alice", password="wrong"), grpc.StatusCode.UNAUTHENTICATED),
        (pb.LoginRequest(username="alice"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_grpc_refusals_have_the_matching_status(bi_basic, request_, code):
    with bi_basic.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        BasicStub(channel).Login(request_)
    assert refused.value.code() is code
