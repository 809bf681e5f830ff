"""chaitin-waf: a stub detector that passes, blocks and keeps silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.emulators.apisix.plugins.chaitin_waf import ChaitinWaf

PASS = [(0x41, b"."), (0xA5, b'{"event_id":"1"}')]
REJECT = [
    (0x41, b"?"),
    (0x02, b"403"),
    (0x23, b"Set-Cookie:sl-session=x; Path=/\n"),
    (0xA4, b"<!-- event_id: b3c6ce574dc24f09a01f634a39dca83b -->"),
]
Answer = list[tuple[int, bytes]] | None


def packet(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + len(data).to_bytes(4, "little") + data


async def read_question(reader: asyncio.StreamReader) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    last = False
    while not last:
        head = await reader.readexactly(5)
        last = bool(head[0] & 0x80)
        found[head[0] & 0x3F] = await reader.readexactly(int.from_bytes(head[1:], "little"))
    return found


@pytest.fixture
def detect(scope: Any) -> Callable[[Any, Any, Answer], Any]:
    """detect(plugin, ctx, answer) → (verdict, the question) with a detector that gives `answer` (None: silence)."""

    async def session(plugin: Any, ctx: Any, answer: Answer) -> Any:
        asked: list[dict[int, bytes]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await read_question(reader))
            if answer is None:
                await reader.read()
            else:
                writer.write(b"".join(packet(tag, data) for tag, data in answer))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        node = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
        scope.plugin_metadata["chaitin-waf"] = {"nodes": [node], "config": {"read_timeout": 200}}
        async with server:
            verdict: Awaitable[Any] = plugin.access(ctx)
            return await verdict, asked

    return lambda plugin, ctx, answer: asyncio.run(session(plugin, ctx, answer))


def told(ctx: Any) -> dict[str, str]:
    return {
        name.removeprefix("X-APISIX-CHAITIN-WAF"): value for name, value in ctx.response if not name.endswith("TIME")
    }


def test_a_harmless_request_passes(build: Any, request_of: Any, detect: Any) -> None:
    ctx = request_of("/x?y=1", method="POST", headers={"A": "b"}, body=b"body")
    verdict, asked = detect(build(ChaitinWaf, {"mode": "block"}), ctx, PASS)
    assert verdict is None
    assert told(ctx) == {"": "yes", "-ACTION": "pass", "-STATUS": "200"}
    assert asked[0][0x01] == b"POST /x?y=1 HTTP/1.1\r\nHost: golden.test\r\nA: b\r\n\r\n"
    assert (asked[0][0x02], asked[0][0x20]) == (b"body", b"Proto:3\n")
    assert b"\x13127.0.0.1\n" in asked[0][0x03]


def test_an_attack_is_blocked(build: Any, request_of: Any, detect: Any) -> None:
    ctx = request_of("/x")
    plugin = build(ChaitinWaf, {"mode": "block"})
    verdict, _ = detect(plugin, ctx, REJECT)
    assert (verdict.status, verdict.body) == (
        403,
        '{"code": 403, "success":false, "message": "blocked by Chaitin SafeLine Web Application Firewall", '
        '"event_id": "b3c6ce574dc24f09a01f634a39dca83b"}\n',
    )
    assert told(ctx) == {"": "yes", "-ACTION": "reject", "-STATUS": "403"}
    plugin.header_filter(ctx)
    assert ctx.response.get("set-cookie") == "sl-session=x; Path=/"


def test_monitoring_lets_attacks_pass(build: Any, request_of: Any, detect: Any) -> None:
    ctx = request_of("/x")
    assert detect(build(ChaitinWaf), ctx, REJECT)[0] is None
    assert told(ctx) == {"": "yes", "-ACTION": "reject", "-STATUS": "403"}


@pytest.mark.parametrize(("mode", "status"), [("block", 500), ("monitor", None)])
def test_a_silent_detector(build: Any, request_of: Any, detect: Any, mode: str, status: int | None) -> None:
    ctx = request_of("/x")
    verdict, _ = detect(build(ChaitinWaf, {"mode": mode, "append_waf_debug_header": True}), ctx, None)
    assert (verdict.status if verdict else None) == status
    assert told(ctx)[""] == "timeout"
    assert "timeout" in told(ctx)["-ERROR"]


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"mode": "off"}, {"": "off"}),
        ({"mode": "block", "match": [{"vars": [["arg_a", "==", "1"]]}]}, {"": "no"}),
        ({"mode": "block", "append_waf_resp_header": False}, {}),
    ],
)
def test_requests_nobody_looks_at(build: Any, request_of: Any, detect: Any, conf: Any, expected: Any) -> None:
    ctx = request_of("/x?a=2")
    assert detect(build(ChaitinWaf, conf), ctx, PASS)[0] is None
    assert told(ctx) == expected


def test_without_metadata(build: Any, request_of: Any, run: Any) -> None:
    ctx = request_of("/x")
    assert run(build(ChaitinWaf).access(ctx)).status == 500
    assert told(ctx) == {"": "err"}


def test_schema(refusal: Any) -> None:
    problem = refusal(ChaitinWaf, {"match": [{"vars": [["a", "nope", "1"]]}]}) or ""
    assert problem.startswith("failed to validate the 'vars' expression: ")
