"""`python -m harness.emulators.nacos`: one server as a process; the credentials come by the environment."""

from __future__ import annotations

import argparse
import os
import sys

from harness.emulators.nacos.grpc.tls import tls_of
from harness.emulators.nacos.prober import LOOPBACK
from harness.emulators.nacos.serve import run
from harness.emulators.nacos.version import VERSIONS

#: USER:PASSWORD; a command line would be everybody's to read.
AUTH = "HARNESS_NACOS_AUTH"
#: HEADER:VALUE by which servers know each other.
IDENTITY = "HARNESS_NACOS_SERVER_IDENTITY"


def main() -> int:
    """Parse, serve until SIGTERM, and return the exit code."""
    parser = argparse.ArgumentParser(prog="harness.emulators.nacos")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8848)
    parser.add_argument("--grpc-port", type=int)
    parser.add_argument("--grpc-cert")
    parser.add_argument("--grpc-key")
    parser.add_argument("--grpc-client-ca")
    parser.add_argument("--data-dir")
    parser.add_argument("--control-from", action="append", metavar="CIDR", default=[])
    parser.add_argument("--console-port", type=int)
    parser.add_argument("--nacos-version", choices=[name for name in VERSIONS if name])
    parser.add_argument("--probe", action="append", metavar="CIDR")
    given = parser.parse_args()
    return run(
        host=given.host,
        port=given.port,
        grpc_port=given.grpc_port,
        grpc_tls=tls_of(given.grpc_cert, given.grpc_key, given.grpc_client_ca),
        auth=os.environ.get(AUTH),
        data_dir=given.data_dir,
        control_from=given.control_from,
        console_port=given.console_port,
        version=given.nacos_version,
        server_identity=os.environ.get(IDENTITY),
        probe=given.probe or LOOPBACK,
    )


if __name__ == "__main__":
    sys.exit(main())
