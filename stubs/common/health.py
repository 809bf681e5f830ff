"""The standard health service, grpc.health.v1.Health, over two hand-written messages of one field each.

Generated messages would claim the names of the grpcio-health-checking package in the process's descriptor pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from stubs.common.replica import Replica

NAME = "grpc.health.v1.Health"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
#: How often a watched state is looked at.
TICK = 0.1


def requested_service(message: bytes) -> str:
    """HealthCheckRequest: field 1 (string service), "" for the whole server; raises ValueError for anything else."""
    if not message:
        return ""
    if message[0] != 0x0A or len(message) < 2 or message[1] != len(message) - 2:
        raise ValueError("not a HealthCheckRequest")
    return message[2:].decode()


class Health:
    """Answers SERVING while the replica takes traffic; NOT_FOUND for services it doesn't have."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the service."""
        check = grpc.unary_unary_rpc_method_handler(self.check, requested_service, bytes)
        watch = grpc.unary_stream_rpc_method_handler(self.watch, requested_service, bytes)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, {"Check": check, "Watch": watch}),))

    def _state(self) -> bytes:
        return SERVING if self._replica.serving else NOT_SERVING

    async def check(self, service: str, context: Any) -> bytes:
        """The state now."""
        if service not in ("", self._replica.settings.service):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {service!r} here")
        return self._state()

    async def watch(self, service: str, context: Any) -> AsyncIterator[bytes]:
        """The state now and at each change."""
        yield (last := await self.check(service, context))
        while not context.cancelled():
            await asyncio.sleep(TICK)
            if (state := self._state()) != last:
                yield (last := state)
