"""HTTP v1: the registry of its routes."""

from __future__ import annotations

from harness.emulators.nacos.http.routes import Route
from harness.emulators.nacos.http_v1 import auth, config, console, instance, operator

ROUTES: tuple[Route, ...] = (
    *instance.ROUTES,
    *config.ROUTES,
    *auth.ROUTES,
    *operator.ROUTES,
    *console.ROUTES,
)
