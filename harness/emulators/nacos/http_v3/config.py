"""`/v3/admin/cs`, and with other names `/v3/console/cs`: configuration for operators."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from harness.emulators.nacos.config.transfer import V1_WORDING, V3_WORDING
from harness.emulators.nacos.errors import NacosError, invalid
from harness.emulators.nacos.http import configs, histories
from harness.emulators.nacos.http.configs import CLONE_V1, CLONE_V3, V3
from harness.emulators.nacos.http.message import Response, as_json, result
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource
from harness.emulators.nacos.http.services import page_object
from harness.emulators.nacos.http.wrap import data_route, moved, speaking

config_resource = configs.resource_of(configs.V3)


def detail(call: Call) -> dict[str, Any]:
    """One configuration in full; raises NacosError (404)."""
    entry = call.domain.config.state.entries.get(configs.key_of(call, V3))
    if entry is None:
        raise NacosError(404, "Config not exist, please publish Config first.", 20004)
    return configs.detail_v3(entry)


def console_detail(call: Call) -> dict[str, Any] | None:
    """One configuration in full, None if there is none."""
    entry = call.domain.config.state.entries.get(configs.key_of(call, V3))
    return configs.detail_v3(entry) if entry else None


def listing(call: Call) -> dict[str, Any]:
    """A page of configurations without their content."""
    found = configs.find_all(call, V3, blur=configs.is_blur(call.request))
    untold = {"md5": None} if call.request.get(V3.tags) else {}  # that query reads fewer columns
    return page_object([{**configs.basic_v3(entry), **untold} for entry in found], call.request)


def beta(call: Call) -> dict[str, Any]:
    """The beta variant; raises NacosError (404)."""
    gray = configs.beta(call, V3)
    if gray is None:
        raise NacosError(404, "Config is not in beta.", 20004)
    return configs.gray_v3(gray)


def console_beta(call: Call) -> dict[str, Any] | None:
    """The beta variant with its type, None if there is none."""
    gray = configs.beta(call, V3)
    return {**configs.gray_v3(gray), "type": gray.entry.type} if gray else None


def stop_beta(call: Call, *, console: bool) -> Response:
    """Drop the beta variant; that there is none is told inside the envelope."""
    if configs.stop_beta(call, V3):
        return result(True)
    code, message = (500, "Internal Server Error") if console else (30000, "remove beta data error")
    return as_json({"code": code, "message": message, "data": False})


def listeners(call: Call) -> dict[str, Any]:
    """Who listens to one configuration."""
    return {"queryType": "config", "listenersStatus": configs.listeners_of(call, V3)}


def listened(call: Call) -> dict[str, Any]:
    """What one address listens to."""
    return {"queryType": "ip", "listenersStatus": configs.listened_by(call, V3)}


def export(call: Call) -> Response:
    """A zip of configurations in the new layout."""
    return configs.export(call, V3, new_layout=True)


def history(call: Call) -> dict[str, Any]:
    """A page of a configuration's rows."""
    rows = [histories.row_v3(record, content=False) for record in histories.of_key(call, V3)]
    return page_object(rows, call.request)


def history_row(call: Call) -> dict[str, Any]:
    """One row; raises NacosError (400)."""
    record = histories.one(call, V3)
    if record is None:
        raise invalid("Source must not be null")
    return histories.row_v3(record, content=True)


def previous(call: Call) -> dict[str, Any]:
    """The last change of a configuration; raises NacosError (400)."""
    record = histories.previous(call, V3)
    if record is None:
        raise invalid("Source must not be null")
    return histories.row_v3(record, content=True)


def of_namespace(call: Call) -> list[dict[str, Any]]:
    """Every configuration of a namespace."""
    return [{**configs.basic_v3(entry), "md5": None} for entry in histories.configs_of_namespace(call, V3)]


def admin_routes(prefix: str) -> tuple[Route, ...]:
    """The calls that the admin API and the console share under `prefix`; the console spells some paths its own way."""
    console = prefix.endswith("console")
    config, history_path = f"{prefix}/cs/config", f"{prefix}/cs/history"
    listener = f"{config}/listener/ip" if console else f"{prefix}/cs/listener"
    target = "targetNamespaceId" if console else "namespaceId"
    batch, exporting = ("batchDelete", "export2") if console else ("batch", "export")
    wording, members = (V1_WORDING, CLONE_V1) if console else (V3_WORDING, CLONE_V3)
    return (
        data_route("GET", config, console_detail if console else detail, config_resource),
        data_route("POST", config, speaking(configs.publish, V3), config_resource),
        data_route("DELETE", config, speaking(configs.remove, V3), config_resource),
        data_route("DELETE", f"{config}/{batch}", configs.remove_many, console_resource),
        data_route("GET", f"{config}/list", listing, config_resource),
        data_route("GET", f"{config}/beta", console_beta if console else beta, config_resource),
        Route("DELETE", f"{config}/beta", partial(stop_beta, console=console), Family.RESULT, "w", config_resource),
        data_route("GET", f"{config}/listener", listeners, config_resource),
        data_route("GET", listener, listened, config_resource),
        Route("GET", f"{config}/{exporting}", export, Family.RESULT, "r", config_resource),
        _write(f"{config}/import", partial(configs.import_zip, wording=wording), "namespaceId"),
        _write(f"{config}/clone", partial(configs.clone, members=members), target),
        data_route("GET", f"{history_path}/list", history, config_resource),
        data_route("GET", history_path, history_row, config_resource),
        data_route("GET", f"{history_path}/previous", previous, config_resource),
        data_route("GET", f"{history_path}/configs", of_namespace, config_resource),
    )


def _write(path: str, act: Callable[[Call, str], dict[str, Any]], target: str) -> Route:
    return Route("POST", path, moved(act, target), Family.RESULT, "w", configs.target_of(target))
