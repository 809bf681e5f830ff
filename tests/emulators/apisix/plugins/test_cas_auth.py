"""cas-auth: to the server and back, its log-out, foreign and forged cookies."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.cas_auth import CasAuth

CONF = {
    "idp_uri": "https://cas.test",
    "cas_callback_uri": "/cb",
    "logout_uri": "/logout",
    "cookie": {"secret": "s" * 32},
}
GOOD = Response(200, b"<cas:authenticationSuccess><cas:user>ann</cas:user></cas:authenticationSuccess>")


def cookies(ctx: Any) -> dict[str, str]:
    pairs = (value.partition(";")[0] for value in ctx.response.get_all("set-cookie"))
    return {"Cookie": "; ".join(pair for pair in pairs if not pair.endswith("=deleted"))}


@pytest.fixture
def logged_in(build: Any, request_of: Any, run: Any, scope: Any) -> Any:
    """(plugin, the headers with the session's cookie)."""
    plugin = build(CasAuth, CONF)
    first = request_of("/page?a=1")
    assert run(plugin.access(first)).headers == (
        ("Location", "https://cas.test/login?service=http%3A%2F%2Fgolden.test%3A9080%2Fcb"),
    )
    assert "; Path=/; HttpOnly; Secure; SameSite=Lax" in first.response.get("set-cookie")
    scope.answer = GOOD
    back = request_of("/cb?ticket=ST-1", headers=cookies(first))
    assert run(plugin.access(back)) == Exit(302, None, (("Location", "/page?a=1"),))
    assert scope.fetched[0].url.startswith("https://cas.test/serviceValidate?ticket=ST-1&service=")
    return plugin, cookies(back)


def test_a_session_passes_until_it_ends(logged_in: Any, request_of: Any, run: Any, scope: Any) -> None:
    plugin, headers = logged_in
    for _ in range(2):
        assert run(plugin.access(request_of("/page", headers=headers))) is None
        scope.clock.advance(3599)
    scope.clock.advance(2)
    assert run(plugin.access(request_of("/page", headers=headers))).status == 302


def test_log_out_here_and_there(logged_in: Any, request_of: Any, run: Any) -> None:
    plugin, headers = logged_in
    there = request_of("/cb", method="POST", body=b"<samlp:SessionIndex>ST-1</samlp:SessionIndex>")
    assert run(plugin.access(there)) == Exit(200)
    assert run(plugin.access(request_of("/page", headers=headers))).status == 302
    here = run(plugin.access(request_of("/logout", headers=headers)))
    assert dict(here.headers)["Location"] == "https://cas.test/logout"
    assert run(plugin.access(request_of("/logout"))) == Exit(401)
    empty = run(plugin.access(request_of("/cb", method="POST", body=b"x")))
    assert empty == Exit(400, {"message": "invalid logout request from IdP, no ticket"})


def test_tickets_that_are_refused(build: Any, request_of: Any, run: Any, scope: Any) -> None:
    plugin = build(CasAuth, CONF)
    forged = request_of("/cb?ticket=ST-2", headers={"Cookie": "CAS_REQUEST_URI=L3g.AAAA"})
    assert run(plugin.access(forged)) == Exit(401, {"message": "invalid callback state"})
    first = request_of("/page")
    run(plugin.access(first))
    scope.answer = Response(200, b"<cas:authenticationFailure/>")
    refused = request_of("/cb?ticket=ST-2", headers=cookies(first))
    assert run(plugin.access(refused)) == Exit(401, {"message": "invalid ticket"})


def test_another_configuration_knows_no_session(logged_in: Any, build: Any, request_of: Any, run: Any) -> None:
    _, headers = logged_in
    other = build(CasAuth, CONF | {"cas_callback_uri": "https://app.test/back?x"})
    verdict = run(other.access(request_of("/page", headers=headers)))
    assert verdict.headers[0][1].endswith("service=https%3A%2F%2Fapp.test%2Fback%3Fx")


def test_schema(refusal: Any) -> None:
    cookie = {"secret": "s" * 32, "samesite": "None", "secure": False}
    assert refusal(CasAuth, CONF | {"cookie": cookie}) == 'cookie.secure must be true when cookie.samesite is "None"'
