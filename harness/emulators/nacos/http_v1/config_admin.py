"""`/v1/cs/configs` for the console: detail, search, beta, listeners, export, import, clone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from harness.emulators.nacos.config.model import Entry
from harness.emulators.nacos.config.transfer import V1_WORDING, TransferError
from harness.emulators.nacos.errors import invalid
from harness.emulators.nacos.http import configs
from harness.emulators.nacos.http.configs import CLONE_V1, V1
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource
from harness.emulators.nacos.http.services import page_object

config_resource = configs.resource_of(configs.V1)


def detail(call: Call) -> Response:
    """Everything about one configuration; nothing at all if it is missing."""
    entry = call.domain.config.state.entries.get(configs.key_of(call, V1))
    if entry is None:
        return text("")
    return as_json({**configs.basic_v1(entry, call.domain.version), **configs.advance(entry)})


def catalog(call: Call) -> Response:
    """The fields around a configuration."""
    entry = call.domain.config.state.entries.get(configs.key_of(call, V1))
    return call.rest_result({**configs.advance(entry), "type": entry.type} if entry else None)


def search(blur: bool) -> Callable[[Call], Response]:
    """A page of what a search finds."""

    def run(call: Call) -> Response:
        request = call.request
        for name, kind in (("dataId", "String"), ("group", "String"), ("pageNo", "int"), ("pageSize", "int")):
            request.present(name, kind)
        found = [_line(call, entry, blur) for entry in configs.find_all(call, V1, blur=blur)]
        if request.number("pageNo", 0) < 1 or request.number("pageSize", 0) < 1:
            where = f"dataId={request.get('dataId')}, group={request.get('group')}"
            why = "pageNo and pageSize must be greater than zero"
            raise invalid(f"serialize page error, {where};caused: {why}")
        return as_json(page_object(found, request))

    return run


def _line(call: Call, entry: Entry, blur: bool) -> dict[str, Any]:
    """A line of what was found; which columns it has depends on the query that the server builds."""
    line, by_tags, is_2 = (
        configs.basic_v1(entry, call.domain.version),
        bool(call.request.get(V1.tags)),
        call.domain.version.is_2,
    )
    if blur:
        told = {**line, "md5": None if is_2 or by_tags else line["md5"]}
        return {**told, "encryptedDataKey": None} if by_tags else told
    plain = {**line, "encryptedDataKey": None, "md5": None if is_2 else line["md5"]}
    return {**plain, "md5": None, "type": None} if by_tags else plain


def remove_many(call: Call) -> Response:
    """Remove by ids."""
    return call.rest_result(configs.remove_many(call))


def beta(call: Call) -> Response:
    """The beta variant and for whom it is."""
    gray = configs.beta(call, V1)
    if gray is None:
        return call.rest_result(None, "query beta ok")
    line = {**configs.basic_v1(gray.entry, call.domain.version), "encryptedDataKey": None, "type": None}
    return call.rest_result({**line, "betaIps": ",".join(gray.ips)}, "query beta ok")


def stop_beta(call: Call) -> Response:
    """Drop the beta variant."""
    if not configs.stop_beta(call, V1):
        return call.rest_result(False, "remove beta data error", 500)
    return call.rest_result(True, "stop beta ok")


def listeners(call: Call) -> Response:
    """Who listens to one configuration; the misspelling is the server's (`GroupkeyListenserStatus`)."""
    return as_json({"collectStatus": 200, "lisentersGroupkeyStatus": configs.listeners_of(call, V1)})


def listened(call: Call) -> Response:
    """What one address listens to."""
    return as_json({"collectStatus": 200, "lisentersGroupkeyStatus": configs.listened_by(call, V1)})


def export(new_layout: bool) -> Callable[[Call], Response]:
    """A zip of configurations."""
    return lambda call: configs.export(call, V1, new_layout=new_layout)


def _moved(act: Callable[[Call, str], dict[str, Any]], target: str, message: str) -> Callable[[Call], Response]:
    def run(call: Call) -> Response:
        try:
            return call.rest_result(act(call, call.request.get(target)), message)
        except TransferError as error:
            return call.rest_result(error.data, error.text_v1, error.code_v1)

    return run


CONFIGS = "/v1/cs/configs"


def _route(method: str, path: str, run: Callable[[Call], Response], action: str, **when: str) -> Route:
    return Route(method, path, run, Family.CONFIG, action, config_resource, when)


def _moving(act: Callable[[Call, str], dict[str, Any]], target: str, message: str, chosen_by: str) -> Route:
    run, resource = _moved(act, target, message), configs.target_of(target)
    return Route("POST", CONFIGS, run, Family.CONFIG, "w", resource, {chosen_by: "true"})


# Chosen by their parameters, so they come before the plain calls on the same path.
ROUTES = (
    _route("GET", CONFIGS, detail, "r", show="all"),
    _route("GET", CONFIGS, search(blur=False), "r", search="accurate"),
    _route("GET", CONFIGS, search(blur=True), "r", search="blur"),
    _route("GET", CONFIGS, beta, "r", beta="true"),
    _route("GET", CONFIGS, export(new_layout=False), "r", export="true"),
    _route("GET", CONFIGS, export(new_layout=True), "r", exportV2="true"),
    _route("DELETE", CONFIGS, stop_beta, "w", beta="true"),
    Route("DELETE", CONFIGS, remove_many, Family.CONFIG, "w", console_resource, {"delType": "ids"}),
    _moving(partial(configs.import_zip, wording=V1_WORDING), "namespace", "import success", "import"),
    _moving(partial(configs.clone, members=CLONE_V1), "tenant", "Clone Completed Successfully", "clone"),
    _route("GET", f"{CONFIGS}/catalog", catalog, "r"),
    _route("GET", f"{CONFIGS}/listener", listeners, "r"),
    _route("GET", "/v1/cs/listener", listened, "r"),
)
