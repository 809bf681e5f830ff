"""Real redis servers on free ports, for the policies that count in redis."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import wait
from harness.ports import free_port

QUIET = (
    "--save",
    "",
    "--appendonly",
    "no",
    "--protected-mode",
    "no",
    "--bind",
    "127.0.0.1",
    "--repl-diskless-sync-delay",
    "0",
)


def need_redis() -> None:
    """Not applicable where no redis is installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("not applicable: no redis-server on this machine")


@contextlib.contextmanager
def running(*options: str, port: int = 0, config: str | None = None) -> Iterator[int]:
    """A redis-server until the block ends; gives its port. `config` is a configuration file's text."""
    need_redis()
    port = port or free_port(10_000)  # a cluster's nodes speak among each other 10,000 ports above
    with tempfile.TemporaryDirectory(prefix="bi-harness-redis-") as directory:
        if config is not None:
            path = Path(directory, "redis.conf")
            path.write_text(config)
            options = (str(path), *options)
        else:
            options = (*QUIET, *options)
        command = ["redis-server", *options, "--dir", directory]
        if "--tls-port" not in options:
            command += ["--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            if "--tls-port" not in options:
                wait.until(lambda: ask(port, "PING"), 10, awaited=f"redis on {port}")
            yield port
        finally:
            process.terminate()
            process.wait(10)


async def eventually(check: Callable[[], bool]) -> None:
    """Wait for something about a server while the loop goes on."""
    await asyncio.to_thread(wait.until, check, 10, awaited="redis to be as the test wants it")


def ask(port: int, *words: str) -> str:
    """What redis-cli says to a command; raises LookupError while nobody answers."""
    done = subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=False)
    if done.returncode or "Could not connect" in done.stderr:
        raise LookupError(done.stderr)
    return done.stdout.strip()
