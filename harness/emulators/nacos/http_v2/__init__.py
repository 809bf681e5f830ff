"""HTTP v2: the registry of its routes."""

from __future__ import annotations

from harness.emulators.nacos.http.routes import Route
from harness.emulators.nacos.http_v2 import config, console, naming

ROUTES: tuple[Route, ...] = (*config.ROUTES, *naming.ROUTES, *console.ROUTES)
