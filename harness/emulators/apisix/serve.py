"""One gateway in the foreground until it is told to stop: `python -m harness.emulators.apisix.serve --http …`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from harness.emulators.apisix import workers
from harness.emulators.apisix.config_yaml import load
from harness.emulators.apisix.gateway import Gateway
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.errors import HarnessError

Ready = Callable[[Mapping[str, str]], None]


def run(settings: Settings, ready: Ready | None = None) -> int:
    """Serve until a signal and return the exit code 0. The signals are nginx's.

    SIGQUIT: nothing new is taken, requests under way are finished (worker_shutdown_timeout); SIGTERM, SIGINT: at once.
    When all addresses listen, `ready` is called with {"http": URL, "https", "admin", "control", "prometheus"}; without
    it one line `ready {…}` is printed. With `settings.etcd` empty an etcd of its own is started. Raises HarnessError.
    """
    with _etcd(settings) as settled:
        if settled.workers > 1:
            workers.run(settled, _work, ready or _print_ready)
        else:
            uvloop.run(_serve(Gateway(settled), ready or _print_ready))
    return 0


def _work(crew: workers.Crew, index: int, ready: Ready) -> None:
    uvloop.run(_serve(Gateway(crew.settings, crew=crew, index=index), ready))


@contextlib.contextmanager
def _etcd(settings: Settings) -> Iterator[Settings]:
    """The settings with an etcd that runs."""
    if settings.etcd or settings.standalone:
        yield settings
        return
    from harness.etcd_process import EtcdProcess

    with EtcdProcess() as etcd:
        yield replace(settings, etcd=(etcd.url,))


async def _serve(gateway: Gateway, ready: Ready) -> None:
    stopping = asyncio.Event()
    told: list[int] = []
    loop = asyncio.get_running_loop()

    def tell(number: int) -> None:
        told.append(number)
        if stopping.is_set() and number != signal.SIGQUIT:
            # it is in a hurry now
            gateway.cut()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        loop.add_signal_handler(number, tell, number)
    await gateway.start()
    # what is there now stays: the collector need not look at it again
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    ready(gateway.addresses)
    await stopping.wait()
    await gateway.stop(gateway.settings.wire.shutdown if set(told) == {signal.SIGQUIT} else 0)


def _print_ready(addresses: Mapping[str, str]) -> None:
    sys.stdout.write(f"ready {json.dumps(addresses)}\n")
    sys.stdout.flush()


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """The command line as settings. Secrets may come by HARNESS_APISIX_ADMIN_KEY and HARNESS_APISIX_NACOS."""
    parser = argparse.ArgumentParser(prog="harness serve apisix", description=__doc__)
    parser.add_argument("--http", action="append", metavar="HOST:PORT")
    parser.add_argument("--https", action="append", metavar="HOST:PORT")
    parser.add_argument("--admin", metavar="HOST:PORT")
    parser.add_argument("--admin-key", metavar="KEY")
    parser.add_argument("--control", metavar="HOST:PORT")
    parser.add_argument("--prometheus", metavar="HOST:PORT")
    parser.add_argument("--etcd", metavar="URL", help="without it, an etcd is started")
    parser.add_argument("--nacos", metavar="URL", help="http://[user:password@]host:port for discovery_type nacos")
    parser.add_argument("--workers", type=int, metavar="N")
    parser.add_argument("--config", type=Path, metavar="config.yaml")
    parser.add_argument(
        "--control-from", action="append", metavar="CIDR", help="who may use /_harness/, besides this machine"
    )
    parser.add_argument("--seed", type=int, help="makes balancing and sampling repeatable")
    return settings_of(parser.parse_args(arguments))


def settings_of(options: argparse.Namespace) -> Settings:
    """Settings from parsed options over config.yaml over the defaults. Raises SpecError."""
    settings = replace(Settings(), etcd=())
    if options.config:
        settings = load(options.config, settings)
    key = options.admin_key or os.environ.get("HARNESS_APISIX_ADMIN_KEY")
    given = {
        "http": tuple(options.http or ()),
        "https": tuple(options.https or ()),
        "admin": options.admin,
        "control": options.control,
        "prometheus": options.prometheus,
        "etcd": (options.etcd,) if options.etcd else (),
        "nacos": options.nacos or os.environ.get("HARNESS_APISIX_NACOS"),
        "workers": options.workers,
        "seed": options.seed,
        "control_from": tuple(options.control_from or ()),
        "admin_keys": (AdminKey("admin", key),) if key else (),
    }
    return replace(settings, **{name: value for name, value in given.items() if value or value == 0})


def main() -> None:
    """Entry point of the module."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        raise SystemExit(run(parse()))
    except HarnessError as error:
        print(f"harness serve apisix: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
