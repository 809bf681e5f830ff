"""A kept HTTP connection for the clients: standard library alone, so that a stack's start doesn't wait for imports."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import RemoteError, SpecError

Json = Any


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8; what isn't is shown by a replacement mark."""
        return self.body.decode(errors="replace")

    def json(self) -> Json:
        """The body as JSON. Raises ValueError when it isn't."""
        return json.loads(self.body)


class Connection:
    """One base URL, one connection, kept open and opened anew when the server has closed it. Safe between threads."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SpecError(f"{url!r} is not an http:// or https:// URL")
        self.url = url.rstrip("/")
        self._base = parts.path.rstrip("/")
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = make(parts.netloc, timeout=timeout)
        self._lock = threading.Lock()

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read the whole answer. Raises OSError when the server can't be reached or hangs up."""
        with self._lock:
            kept = self._connection.sock is not None
            try:
                return self._once(method, path, body, headers or {})
            except (ConnectionError, http.client.CannotSendRequest):
                if not kept:
                    raise
                # the server closed it while it was idle: nothing was done with the request yet
                return self._once(method, path, body, headers or {})
            except http.client.HTTPException as error:
                raise OSError(f"{self.url} doesn't speak HTTP as it should: {error!r}") from error

    def _once(self, method: str, path: str, body: bytes | str | None, headers: Mapping[str, str]) -> Answer:
        payload = body.encode() if isinstance(body, str) else body
        try:
            self._connection.request(method, self._base + path, payload, dict(headers))
            answer = self._connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        except BaseException:
            self._connection.close()
            raise

    def checked(
        self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """As `ask`, raising RemoteError for a status of 400 or more."""
        answer = self.ask(method, path, body, headers)
        if answer.status >= 400:
            shown = path.partition("?")[0]  # a query may hold credentials
            raise RemoteError(f"{method} {shown} was refused", status=answer.status, body=answer.text, where=self.url)
        return answer

    def close(self) -> None:
        """Close the connection; a later request opens another."""
        with self._lock:
            self._connection.close()
