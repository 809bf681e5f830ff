"""One replica as a process: environment in, exit code out."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping

import uvloop

from stubs.catalogue import SERVICES
from stubs.common import run, settings
from stubs.common.logs import Log

WRONG_ENVIRONMENT = 2
FAILED = 1


def run_replica(name: str, env: Mapping[str, str], on_ready: run.OnReady | None = None) -> int:
    """Run a replica of the service `name` until SIGTERM; 0 after an orderly end, 2 for a wrong environment, 1 else."""
    gc.enable()  # __main__ turned it off for the imports
    try:
        told = settings.from_env(name, env)
    except ValueError as error:
        Log(name, env.get("REPLICA_ID", "")).error(str(error))
        return WRONG_ENVIRONMENT
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run.run(SERVICES[name], told, on_ready))
    except Exception as error:
        Log(name, told.replica_id).error("replica failed", exc=error)
        return FAILED
    return 0
