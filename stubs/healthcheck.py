"""The containers' health check: exit 0 when the replica on HTTP_PORT takes traffic."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Ask /readyz; answers 0 for ready, 1 for anything else."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["HTTP_PORT"]), timeout=2)
    try:
        connection.request("GET", "/readyz")
        return int(connection.getresponse().status != 200)
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
