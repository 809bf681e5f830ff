"""`/v1/cs/history`: what configurations were."""

from __future__ import annotations

from collections.abc import Callable

from harness.emulators.nacos.http import configs, histories
from harness.emulators.nacos.http.configs import V1
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route
from harness.emulators.nacos.http.services import page_object

config_resource = configs.resource_of(V1)


def listing(call: Call) -> Response:
    """The rows of one configuration, newest first, by page of at most 500."""
    rows = [histories.row_v1(record, call.domain.version, content=False) for record in histories.of_key(call, V1)]
    return as_json(page_object(rows, call.request))


def one(call: Call) -> Response:
    """One row, nothing at all if there is none."""
    call.request.present("nid", "Long")
    record = histories.one(call, V1)
    return as_json(histories.row_v1(record, call.domain.version)) if record else text("")


def previous(call: Call) -> Response:
    """The last change of a configuration."""
    record = histories.previous(call, V1)
    return as_json(histories.row_v1(record, call.domain.version)) if record else text("")


def of_namespace(call: Call) -> Response:
    """Every configuration of a namespace."""
    call.request.present("tenant")
    return as_json(histories.keys_of_namespace(call, V1))


def _route(path: str, run: Callable[[Call], Response], **when: str) -> Route:
    return Route("GET", f"/v1/cs/history{path}", run, Family.CONFIG, "r", config_resource, when)


ROUTES = (
    _route("", listing, search="accurate"),
    _route("", one),
    _route("/previous", previous),
    _route("/configs", of_namespace),
)
