"""HTTP v3: the registries of its routes, on the main port and on the console's port."""

from __future__ import annotations

from harness.emulators.nacos.http.routes import Route
from harness.emulators.nacos.http.unsupported import CONSOLE_UNSUPPORTED, routes
from harness.emulators.nacos.http_v3 import auth, client, config, console, core, naming

ROUTES: tuple[Route, ...] = (
    *client.ROUTES,
    *config.admin_routes("/v3/admin"),
    *naming.admin_routes("/v3/admin"),
    *core.ROUTES,
    *auth.ROUTES,
)
CONSOLE_ROUTES: tuple[Route, ...] = (*console.ROUTES, *auth.CONSOLE_ROUTES, *routes(CONSOLE_UNSUPPORTED))
