"""The README lists every end-point there is and every gRPC request. (Those refused: `test_real_calls.py`.)"""

from __future__ import annotations

from pathlib import Path

import harness.emulators.nacos
from harness.emulators.nacos.grpc.handlers import HANDLERS
from harness.emulators.nacos.http_v3 import CONSOLE_ROUTES
from harness.emulators.nacos.node import ROUTES

TEXT = (Path(harness.emulators.nacos.__file__).parent / "README.md").read_text()


def test_every_path_is_listed() -> None:
    paths = {route.path for route in (*ROUTES, *CONSOLE_ROUTES)}
    assert [path for path in sorted(paths) if f"`{path}`" not in TEXT and f" {path}`" not in TEXT] == []


def test_every_grpc_request_is_listed() -> None:
    assert [handler.request for handler in HANDLERS if f"`{handler.request}`" not in TEXT] == []


def test_no_route_is_shadowed() -> None:
    seen: set[tuple[str, str]] = set()
    for route in ROUTES:
        assert (route.method, route.path) not in seen, f"{route.method} {route.path} is never reached"
        if not route.when:
            seen.add((route.method, route.path))
