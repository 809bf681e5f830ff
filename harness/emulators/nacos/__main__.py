"""One server as a process: `harness serve nacos`, or `python -m harness.emulators.nacos`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from harness.emulators.nacos.grpc.tls import tls_of
from harness.emulators.nacos.prober import LOOPBACK
from harness.emulators.nacos.serve import run
from harness.emulators.nacos.version import VERSIONS
from harness.errors import HarnessError

#: USER:PASSWORD; a command line is everybody's to read.
AUTH = "HARNESS_NACOS_AUTH"
#: HEADER:VALUE by which servers know each other.
IDENTITY = "HARNESS_NACOS_SERVER_IDENTITY"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness serve nacos",
        description="The Nacos emulator in the foreground; prints `ready {addresses}`, stops on SIGTERM.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to bind; beyond the loopback only with --auth")
    add("--port", type=int, default=8848, help="HTTP (8848); gRPC is 1000 above")
    add("--grpc-port", type=int, help="gRPC, where it is not 1000 above")
    add("--grpc-cert", metavar="PEM", help="gRPC over TLS: the certificate chain")
    add("--grpc-key", metavar="PEM", help="gRPC over TLS: its key")
    add("--grpc-client-ca", metavar="PEM", help="gRPC over TLS: who signs clients' certificates")
    add("--auth", metavar="USER:PASSWORD", default=os.environ.get(AUTH), help=f"authentication; better by ${AUTH}")
    add("--server-identity", metavar="HEADER:VALUE", default=os.environ.get(IDENTITY), help=f"or by ${IDENTITY}")
    add("--data-dir", metavar="DIR", help="keep the state there; it is in memory without it")
    add("--console-port", type=int, help="open the console's own port of 3.x too")
    add(
        "--nacos-version",
        choices=[name for name in VERSIONS if name],
        help="mimic this one as shipped; without it the calls of all versions are answered",
    )
    add("--probe", action="append", metavar="CIDR", help="probe persistent instances there, instead of the loopback")
    add(
        "--control-from",
        action="append",
        metavar="CIDR",
        default=[],
        help="who may use /_harness/ besides this machine",
    )
    return parser


def serve(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve until SIGTERM, and return the exit code; raises SpecError."""
    given = _parser().parse_args(arguments)
    return run(
        host=given.host,
        port=given.port,
        grpc_port=given.grpc_port,
        grpc_tls=tls_of(given.grpc_cert, given.grpc_key, given.grpc_client_ca),
        auth=given.auth,
        data_dir=given.data_dir,
        control_from=given.control_from,
        console_port=given.console_port,
        version=given.nacos_version,
        server_identity=given.server_identity,
        probe=given.probe or LOOPBACK,
    )


def main() -> int:
    """Entry point of the module."""
    try:
        return serve()
    except HarnessError as error:
        print(f"harness serve nacos: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
