"""Whether every declared service answers through the gateway: what "ready" means for a platform."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from harness.model import Platform, Service
from harness.wait import until

#: What a gateway answers while a route or its upstream isn't there yet.
NOT_YET = frozenset({502, 503, 504})
#: What a gateway says when no route matches; a service's own 404 is an answer.
NO_ROUTE = b"404 Route Not Found"


class RoutedProbe:
    """Asks for one path of each service through the gateway: a public one where there is one, else any.

    A path that needs credentials answers 401, which shows the route, though not the service behind it.
    """

    def __init__(self, platform: Platform, gateway: str, logs: Callable[[], str]) -> None:
        self._waiting = {name: service for name, service in platform.services.items() if service.gateway}
        self._connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=5)
        self._logs = logs
        self._last = ""

    def wait(self, timeout: float) -> None:
        """Until each has answered once. Raises NotReady naming those that haven't, with the last answer."""
        until(
            self._all_answer,
            timeout,
            awaited=f"an answer through the gateway from {', '.join(self._waiting)}",
            state=lambda: f"{', '.join(self._waiting)} still missing; {self._last}",
            logs=self._logs,
        )

    def _all_answer(self) -> bool:
        for name in [name for name, service in self._waiting.items() if self._answers(service)]:
            del self._waiting[name]
        return not self._waiting

    def _answers(self, service: Service) -> bool:
        gateway = service.gateway
        assert gateway is not None
        readable = [endpoint for endpoint in gateway.public if not endpoint.methods or "GET" in endpoint.methods]
        plain = [endpoint.path for endpoint in readable if "*" not in endpoint.path]
        path = gateway.route_prefix + (plain[0] if plain else "/")
        headers = {"Host": gateway.hosts[0]} if gateway.hosts else {}
        try:
            self._connection.request("GET", path, headers=headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._last = f"GET {path}: {error}"
            return False
        self._last = f"GET {path}: {answer.status}"
        return answer.status not in NOT_YET and not (answer.status == 404 and NO_ROUTE in body)
