"""One server in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from harness.emulators.nacos.grpc.tls import Tls
from harness.emulators.nacos.node import Node, Settings
from harness.emulators.nacos.prober import LOOPBACK

Ready = Callable[[dict[str, str]], None]


def run(
    *,
    host: str = "127.0.0.1",
    port: int = 8848,
    grpc_port: int | None = None,
    auth: str | None = None,
    data_dir: str | Path | None = None,
    console_port: int | None = None,
    grpc_tls: Tls | None = None,
    control_from: Sequence[str] = (),
    version: str | None = None,
    server_identity: str | None = None,
    probe: Sequence[str] = LOOPBACK,
    ready: Ready | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code 0.

    When the ports answer, `ready` is called with {"http": "http://host:port", "grpc": "host:port"} (and "console" where
    `console_port` asked for the console's own port of 3.x); without it one line `ready {...}` is printed. `data_dir`
    keeps configuration, persistent instances, namespaces and accounts over restarts. `version`, `server_identity`
    and `probe` are those of `NacosServer`.
    Raises SpecError for what can't be had (a taken port, auth off beyond the loopback).
    """
    calm_collector()
    settings = Settings(
        host,
        port,
        grpc_port,
        auth,
        data_dir=Path(data_dir) if data_dir is not None else None,
        console_port=console_port,
        grpc_tls=grpc_tls,
        control_from=tuple(control_from),
        version=version,
        server_identity=server_identity,
        probe=tuple(probe),
    )
    uvloop.run(_serve(settings, ready or _print_ready))
    return 0


def calm_collector() -> None:
    """Collect garbage rarely, and never what was imported: a full collection amid a push holds all clients up."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


async def _serve(settings: Settings, ready: Ready) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    node = Node(settings)
    await node.start()
    identity = node.site.identity
    addresses = {"http": f"http://{identity.address}", "grpc": f"{identity.host}:{identity.grpc_port}"}
    if identity.console_port is not None:
        addresses["console"] = f"http://{identity.host}:{identity.console_port}"
    ready(addresses)
    await stopping.wait()
    await node.stop()


def _print_ready(addresses: dict[str, str]) -> None:
    sys.stdout.write(f"ready {json.dumps(addresses)}\n")
    sys.stdout.flush()
