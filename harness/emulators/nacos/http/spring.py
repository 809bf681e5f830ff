"""The JSON that Spring writes for an error that no controller answers."""

from __future__ import annotations

import time

from harness.emulators.nacos.http.message import REASONS, Response, as_json


def spring_error(status: int, message: str, path: str) -> Response:
    """The JSON that Spring writes for an error sent by a filter."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime())
    reason = REASONS.get(status, "Error")
    return as_json({"timestamp": stamp, "status": status, "error": reason, "message": message, "path": path}, status)
