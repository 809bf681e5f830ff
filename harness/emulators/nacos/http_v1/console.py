"""`/v1/console`: state and health of the server."""

from __future__ import annotations

from harness.emulators.nacos.domain import VERSION
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route


def state(call: Call) -> Response:
    """Flat strings, as the console asks for them."""
    return as_json(server_state(call))


def server_state(call: Call) -> dict[str, str | None]:
    """What the server tells of itself."""
    enabled = "true" if call.domain.gate.enabled else "false"
    return {
        "version": VERSION,
        "standalone_mode": "standalone",
        "startup_mode": "standalone",
        "function_mode": None,
        "server_port": str(call.site.identity.port),
        "auth_enabled": enabled,
        "auth_system_type": "nacos",
        "auth_admin_request": "false" if call.domain.accounts.has_admin() else "true",
        "login_page_enabled": enabled,
        "console_ui_enabled": "false",
        "config_retention_days": "30",
        "defaultMaxSize": "102400",
        "defaultMaxAggrCount": "10000",
        "defaultMaxAggrSize": "1024",
        "isManageCapacity": "false",
        "isCapacityLimitCheck": "false",
        "isHealthCheck": "true",
        "datasource_platform": "",
        "plugin_datasource_log_enabled": "false",
    }


def health(call: Call) -> Response:
    """A server that answers is alive and ready."""
    return text("OK")


ROUTES = (
    Route("GET", "/v1/console/server/state", state, Family.RESULT),
    Route("GET", "/v1/console/health/liveness", health, Family.RESULT),
    Route("GET", "/v1/console/health/readiness", health, Family.RESULT),
)
