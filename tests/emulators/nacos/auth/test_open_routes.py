"""Which calls need no permission: an explicit list, so that a new one can't be left open by oversight."""

from __future__ import annotations

from harness.emulators.nacos.http.unsupported import CONSOLE_UNSUPPORTED, UNSUPPORTED
from harness.emulators.nacos.http_v3 import CONSOLE_ROUTES
from harness.emulators.nacos.node import ROUTES

OPEN = {
    ("GET", "/actuator/health"),
    ("GET", "/v1/console/health/liveness"),
    ("GET", "/v1/console/health/readiness"),
    ("GET", "/v1/console/namespaces"),
    ("GET", "/v1/console/server/announcement"),
    ("GET", "/v1/console/server/guide"),
    ("GET", "/v1/console/server/state"),
    ("GET", "/v1/cs/health"),
    ("GET", "/v1/ns/health/checkers"),
    ("GET", "/v1/ns/health/server"),
    ("GET", "/v1/ns/operator/distro/client"),
    ("GET", "/v1/ns/operator/metrics"),
    ("GET", "/v1/ns/operator/push/state"),
    ("GET", "/v1/ns/operator/switches"),
    ("GET", "/v1/ns/ops/distro/client"),
    ("GET", "/v1/ns/ops/metrics"),
    ("GET", "/v1/ns/ops/push/state"),
    ("GET", "/v1/ns/ops/switches"),
    ("GET", "/v2/console/health/liveness"),
    ("GET", "/v2/console/health/readiness"),
    ("GET", "/v2/console/namespace/list"),
    ("GET", "/v2/ns/operator/metrics"),
    ("GET", "/v2/ns/operator/switches"),
    ("GET", "/v2/ns/ops/metrics"),
    ("GET", "/v2/ns/ops/switches"),
    ("GET", "/v3/admin/core/state"),
    ("GET", "/v3/admin/core/state/liveness"),
    ("GET", "/v3/admin/core/state/readiness"),
    ("GET", "/v3/console/health/liveness"),
    ("GET", "/v3/console/health/readiness"),
    ("GET", "/v3/console/server/announcement"),
    ("GET", "/v3/console/server/guide"),
    ("GET", "/v3/console/server/state"),
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/auth/admin"),
    ("POST", "/v1/auth/users/admin"),
    ("POST", "/v1/auth/users/login"),
    ("POST", "/v3/auth/user/admin"),
    ("POST", "/v3/auth/user/login"),
}


def test_only_these_need_no_permission() -> None:
    refused = {(method, path) for method, path, _ in (*UNSUPPORTED, *CONSOLE_UNSUPPORTED)}
    found = {(route.method, route.path) for route in (*ROUTES, *CONSOLE_ROUTES) if not route.action}
    assert found - refused == OPEN
