"""`/v2/cs`: configuration and its history in the envelope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.emulators.nacos.config.model import check_tag
from harness.emulators.nacos.http import configs, histories
from harness.emulators.nacos.http.configs import V2
from harness.emulators.nacos.http.forms import client_ip
from harness.emulators.nacos.http.message import CONFIG_JSON, Response, as_json, result
from harness.emulators.nacos.http.routes import Call, Family, Route
from harness.emulators.nacos.http.services import page_object
from harness.emulators.nacos.http.wrap import data_route, speaking
from harness.emulators.nacos.http_v2.history_detail import detail

config_resource = configs.resource_of(configs.V2)


#: The servlet behind it writes this itself, without a content type.
ABSENT = Response(404, b'{"code":20004,"message":"resource not found","data":"config data not exist"}\n', "")


def get(call: Call) -> Response:
    """The content in the envelope, and what is known of it in headers as in v1."""
    request = call.request
    request.present("dataId")
    request.present("group")
    if request.get("tag"):
        check_tag(request.get("tag"))
    found = call.domain.config.get(
        configs.key_of(call, V2),
        ip=client_ip(request),
        tag=request.get("tag"),
        auto_tag=request.header("vipserver-tag"),
    )
    if found is None:
        return ABSENT
    return replace(result(found.entry.content), content_type=CONFIG_JSON, headers=configs.headers(found))


def search_detail(call: Call) -> Response:
    """A page of configurations that a search leaves, without the envelope."""
    for name in ("dataId", "group", "config_detail"):
        call.request.present(name)
    found = configs.find_all(call, V2, blur=configs.is_blur(call.request))
    return as_json(page_object([configs.basic_v1(entry, call.domain.version) for entry in found], call.request))


def history(call: Call) -> dict[str, Any]:
    """A page of a configuration's rows."""
    rows = histories.of_key(call, V2)
    return page_object([histories.row_v1(row, call.domain.version, content=False) for row in rows], call.request)


def history_row(call: Call) -> dict[str, Any]:
    """One row."""
    return histories.row_v1(histories.one(call, V2), call.domain.version)


def previous(call: Call) -> dict[str, Any] | None:
    """The last change of a configuration."""
    record = histories.previous(call, V2)
    return histories.row_v1(record, call.domain.version) if record else None


def of_namespace(call: Call) -> list[dict[str, Any]]:
    """Every configuration of a namespace."""
    return [configs.basic_v1(entry, call.domain.version) for entry in histories.configs_of_namespace(call, V2)]


CONFIG, HISTORY = "/v2/cs/config", "/v2/cs/history"
ROUTES = (
    Route("GET", CONFIG, get, Family.RESULT, "r", config_resource),
    data_route("POST", CONFIG, speaking(configs.publish, V2), config_resource),
    data_route("DELETE", CONFIG, speaking(configs.remove, V2), config_resource),
    Route("GET", f"{CONFIG}/searchDetail", search_detail, Family.RESULT, "r", config_resource),
    data_route("GET", f"{HISTORY}/list", history, config_resource),
    data_route("GET", HISTORY, history_row, config_resource),
    data_route("GET", f"{HISTORY}/detail", detail, config_resource),
    data_route("GET", f"{HISTORY}/previous", previous, config_resource),
    data_route("GET", f"{HISTORY}/configs", of_namespace, config_resource),
)
