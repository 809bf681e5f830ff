"""HTTP v1: the registry of its routes."""

from __future__ import annotations

from harness.emulators.nacos.http.routes import Route
from harness.emulators.nacos.http_v1 import auth, config, config_admin, console, history, instance, operator, service

ROUTES: tuple[Route, ...] = (
    *instance.ROUTES,
    *service.ROUTES,
    *config_admin.ROUTES,
    *config.ROUTES,
    *history.ROUTES,
    *auth.ROUTES,
    *operator.ROUTES,
    *console.ROUTES,
)
