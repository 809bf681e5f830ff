"""ldap-auth: a stub directory that takes one password."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.ldap_auth import LdapAuth
from harness.emulators.apisix.plugins.ldap_bind import escaped

CHALLENGE = (("WWW-Authenticate", 'Basic realm="ldap"'),)
INVALID = Exit(401, {"message": "Invalid user authorization"}, CHALLENGE)


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(text.encode()).decode()}


@pytest.fixture
def ask(build: Any, request_of: Any) -> Callable[..., Any]:
    """ask(user and password[, conf]) → (verdict, context, what the directory was asked)."""

    async def session(text: str, conf: dict[str, Any]) -> Any:
        asked: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readexactly(2)
            asked.append(await reader.readexactly(head[1]))
            code = 0 if asked[0].endswith(b"\x80\x06secret") else 49
            writer.write(bytes([0x30, 12, 2, 1, 1, 0x61, 7, 10, 1, code, 4, 0, 4, 0]))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        uri = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ctx = request_of("/", headers=basic(text))
        async with server:
            plugin = build(LdapAuth, {"base_dn": "ou=users,dc=x", "ldap_uri": uri, **conf})
            return await plugin.rewrite(ctx), ctx, asked

    return lambda text, conf=None: asyncio.run(session(text, conf or {}))


@pytest.fixture
def ann(scope: Any) -> Any:
    return scope.add_consumer(LdapAuth, "ann", {"user_dn": "cn=ann,ou=users,dc=x"})


def test_who_binds_is_the_consumer(ask: Any, ann: Any) -> None:
    verdict, ctx, asked = ask("ann:secret", {"hide_credentials": True})
    assert verdict is None
    assert ctx.consumer is ann
    assert "authorization" not in ctx.headers
    assert b"cn=ann,ou=users,dc=x" in asked[0]


def test_refusals(ask: Any, ann: Any) -> None:
    assert ask("ann:wrong")[0] == INVALID
    assert ask("bob:secret")[0] == INVALID
    verdict, _, asked = ask("ann: ")
    assert (verdict, asked) == (INVALID, []), "an empty password never reaches the directory"
    assert b"cn=a\\,ou\\=admins" in ask("a,ou=admins:secret")[2][0]


def test_no_consumer_at_all(ask: Any) -> None:
    assert ask("ann:secret")[0].body == {"message": "Missing related consumer"}


def test_headers_and_directories_that_say_nothing(build: Any, request_of: Any, run: Any) -> None:
    plugin = build(LdapAuth, {"base_dn": "dc=x", "ldap_uri": "127.0.0.1:1"})
    assert run(plugin.rewrite(request_of("/"))).body == {"message": "Missing authorization in request"}
    broken = request_of("/", headers={"Authorization": "Bearer x"})
    assert run(plugin.rewrite(broken)).body == {"message": "Invalid authorization in request"}
    assert run(plugin.rewrite(request_of("/", headers=basic("ann:secret")))) == INVALID


def test_names_are_escaped() -> None:
    assert escaped(' #a+b"c ') == '\\ #a\\+b\\"c\\ '
