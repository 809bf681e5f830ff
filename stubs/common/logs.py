"""Structured logs: one JSON object per line, on standard output; secrets masked."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from typing import Any, TextIO

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}

#: The Nacos SDK writes whole requests into its error messages, the access token and contents among them.
_SECRET = re.compile(
    r"""(?ix) (["']? (?:access_?token|password|secret(?:_?key)?|authorization|apikey) ["']? \s* [:=] \s* ["']?)
        (?:bearer\s+)? [^\s"',}&]+"""
)


def masked(text: str) -> str:
    """`text` with the values of tokens, passwords and keys replaced by stars."""
    return _SECRET.sub(r"\1***", text)


_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class Log:
    """Writes one line per event: time, level, service, replica, message, and the event's own fields."""

    def __init__(self, service: str, replica: str, level: str = "INFO", stream: TextIO | None = None) -> None:
        self._head = {"service": service, "replica": replica}
        self._stream = stream or sys.stdout
        self.threshold = LEVELS[level]

    def set_level(self, level: str) -> None:
        """Change the least level that is written (DEBUG, INFO, WARNING or ERROR)."""
        self.threshold = LEVELS[level]

    def write(self, level: str, message: str, **fields: Any) -> None:
        """Write one line when `level` is at or above the threshold."""
        if LEVELS[level] < self.threshold:
            return
        line = {"time": timestamp(), "level": level.lower(), **self._head, "message": message, **fields}
        self._stream.write(_encode(line) + "\n")
        self._stream.flush()

    def debug(self, message: str, **fields: Any) -> None:
        """Write a line of level debug."""
        self.write("DEBUG", message, **fields)

    def info(self, message: str, **fields: Any) -> None:
        """Write a line of level info."""
        self.write("INFO", message, **fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Write a line of level warning."""
        self.write("WARNING", message, **fields)

    def error(self, message: str, *, exc: BaseException | None = None, **fields: Any) -> None:
        """Write a line of level error, with the traceback of `exc` when given."""
        if exc is not None:
            fields["exception"] = masked("".join(traceback.format_exception(exc)))
        self.write("ERROR", message, **fields)


def timestamp(at: float | None = None) -> str:
    """Seconds since the epoch (now, when None) as UTC in ISO 8601 with milliseconds."""
    at = time.time() if at is None else at
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"


#: What the Nacos SDK says when a replica starts with an empty cache or before its configuration exists: the replica
#: says the latter in its own words, and the former is as it should be.
EXPECTED = ("File not found: ", "failed to invoke nacos config server : Error [300]")


class Bridge(logging.Handler):
    """Carries the libraries' own warnings into the replica's log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record with secrets masked, under the name of its logger."""
        message = record.getMessage()
        if message.startswith(EXPECTED):
            return
        level = "ERROR" if record.levelno >= logging.ERROR else "WARNING"
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1]:
            fields["exception"] = masked("".join(traceback.format_exception(record.exc_info[1])))
        self._log.write(level, masked(message), **fields)


def bridge_libraries(log: Log) -> None:
    """Send the warnings of uvicorn, asyncio, grpc and the Nacos SDK to `log`."""
    handler = Bridge(log)
    for name in ("", "config", "naming"):  # the SDK's two loggers don't propagate to the root
        logging.getLogger(name).handlers[:] = [handler]
