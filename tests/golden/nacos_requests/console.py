"""Namespaces, the server's state and health, members and operators' calls."""

from __future__ import annotations

from typing import Any

from nacos_requests.steps import Case, Step, case, delete, get, post, put

V1, V2 = "/v1/console/namespaces", "/v2/console/namespace"
BAD = (
    {},
    {"namespaceName": ""},
    {"id": "a b", "namespaceName": "n"},
    {"id": "a.b", "namespaceName": "n"},
    {"id": "x" * 129, "namespaceName": "n"},
    {"id": "golden-bad", "namespaceName": "a@b"},
    {"id": "public", "namespaceName": "n"},
    {"id": "golden-bad"},
)


def _bad(id_name: str) -> tuple[dict[str, Any], ...]:
    return tuple({id_name if name == "id" else name: value for name, value in bad.items()} for bad in BAD)


def _namespaces(
    name: str, path: str, id_name: str, exists: Step, port: str = "main", on_2: bool = True
) -> tuple[Case, ...]:
    p: dict[str, Any] = {"port": port}
    made = f"golden-{name}"
    return (
        case(
            f"namespaces-{name}/life",
            get(f"{path}/list", {}, **p),
            get(path, {"namespaceId": made}, **p),
            exists,
            post(path, {id_name: made, "namespaceName": "name", "namespaceDesc": "what"}, **p),
            post(path, {id_name: made, "namespaceName": "name"}, **p),
            exists,
            get(path, {"namespaceId": made}, **p),
            get(path, {"namespaceId": "public"}, **p),
            get(path, {"namespaceId": ""}, **p),
            put(path, {"namespaceId": made, "namespaceName": "other", "namespaceDesc": "else"}, **p),
            get(path, {"namespaceId": made}, **p),
            put(path, {"namespaceId": made}, **p),
            put(path, {"namespaceId": "golden-nobody", "namespaceName": "x"}, **p),
            put(path, {"namespaceId": made, "namespaceName": "a@b"}, **p),
            post("/v1/cs/configs", {"dataId": "golden.counted", "group": "G", "content": "c", "tenant": made}),
            get(f"{path}/list", {}, **p),
            delete("/v1/cs/configs", {"dataId": "golden.counted", "group": "G", "tenant": made}),
            delete(path, {"namespaceId": made}, **p),
            delete(path, {"namespaceId": made}, **p),
            delete(path, {}, **p),
            delete(path, {"namespaceId": "public"}, **p),
            get(path, {"namespaceId": made}, **p),
            get(path, {}, **p),
            on_2=on_2,
        ),
        case(f"namespaces-{name}/refusals", *(post(path, bad, **p) for bad in _bad(id_name)), on_2=on_2),
    )


CASES = (
    case(
        "namespaces-v1/life",
        get(V1, {}),
        get(V1, {"show": "all", "namespaceId": "golden-v1"}),
        get(V1, {"checkNamespaceIdExist": "true", "customNamespaceId": "golden-v1"}),
        post(V1, {"customNamespaceId": "golden-v1", "namespaceName": "name", "namespaceDesc": "what"}),
        post(V1, {"customNamespaceId": "golden-v1", "namespaceName": "name"}),
        get(V1, {"checkNamespaceIdExist": "true", "customNamespaceId": "golden-v1"}),
        get(V1, {"show": "all", "namespaceId": "golden-v1"}),
        get(V1, {"show": "all", "namespaceId": ""}),
        get(V1, {"show": "all", "namespaceId": "public"}),
        get(V1, {"show": "all"}),
        put(V1, {"namespace": "golden-v1", "namespaceShowName": "other", "namespaceDesc": "else"}),
        get(V1, {}),
        put(V1, {"namespace": "golden-v1"}),
        put(V1, {"namespace": "golden-v1", "namespaceShowName": "a@b"}),
        put(V1, {"namespace": "golden-nobody", "namespaceShowName": "x"}),
        get(V1, {"checkNamespaceIdExist": "true"}),
        delete(V1, {"namespaceId": "golden-v1"}),
        delete(V1, {"namespaceId": "golden-v1"}),
        delete(V1, {}),
        get(V1, {}),
    ),
    case("namespaces-v1/refusals", *(post(V1, bad) for bad in _bad("customNamespaceId"))),
    *_namespaces("v2", V2, "namespaceId", get(V2, {"namespaceId": "golden-v2"})),
    *_namespaces(
        "admin",
        "/v3/admin/core/namespace",
        "namespaceId",
        get("/v3/admin/core/namespace/check", {"namespaceId": "golden-admin"}),
        on_2=False,
    ),
    *_namespaces(
        "console",
        "/v3/console/core/namespace",
        "customNamespaceId",
        get("/v3/console/core/namespace/exist", {"customNamespaceId": "golden-console"}, port="console"),
        "console",
        on_2=False,
    ),
    case(
        "state/v1",
        get("/v1/console/server/state", {}),
        get("/v1/console/server/announcement", {"language": "en-US"}),
        get("/v1/console/server/announcement", {"language": "xx"}),
        get("/v1/console/server/guide", {}),
        get("/v1/console/health/liveness", {}),
        get("/v1/console/health/readiness", {}),
        get("/v2/console/health/liveness", {}),
        get("/v2/console/health/readiness", {}),
        get("/v1/cs/health", {}),
        get("/actuator/health", {}),
        get("/v1/core/cluster/self", {}),
        get("/v1/core/cluster/nodes", {}),
        get("/v1/core/cluster/nodes", {"keyword": "nothing-like-this"}),
        get("/v1/core/cluster/simple/nodes", {}),
        get("/v1/core/cluster/health", {}),
        get("/v2/core/cluster/node/self", {}),
        get("/v2/core/cluster/node/list", {}),
        get("/v2/core/cluster/node/self/health", {}),
        get("/v2/core/loader/current", {}),
        get("/serverlist", {}),
    ),
    case(
        "state/v3",
        get("/v3/admin/core/state", {}),
        get("/v3/admin/core/state/liveness", {}),
        get("/v3/admin/core/state/readiness", {}),
        get("/v3/admin/core/cluster/node/self", {}),
        get("/v3/admin/core/cluster/node/self/health", {}),
        get("/v3/admin/core/cluster/node/list", {}),
        get("/v3/admin/core/cluster/node/list", {"address": "nothing"}),
        get("/v3/admin/core/loader/current", {}),
        get("/v3/admin/core/loader/cluster", {}),
        get("/v3/admin/core/ops/ids", {}),
        get("/v3/admin/core/namespace/check", {}),
        get("/v3/console/server/state", {}, port="console"),
        get("/v3/console/server/announcement", {"language": "en-US"}, port="console"),
        get("/v3/console/server/guide", {}, port="console"),
        get("/v3/console/health/liveness", {}, port="console"),
        get("/v3/console/health/readiness", {}, port="console"),
        get("/v3/console/core/cluster/nodes", {}, port="console"),
        get("/v3/console/nowhere", {}, port="console"),
        get("/v3/admin/cs/capacity", {"groupName": "G"}),
        get("/v3/admin/cs/metrics/cluster", {"ip": "10.255.255.1", "dataId": "golden.x", "groupName": "G"}),
        on_2=False,
    ),
)
