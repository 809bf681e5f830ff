"""Authentication: log in, users, roles, permissions, and who is refused what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nacos_requests.steps import Case, Step, ask, case, delete, get, post, put, rpc

ADMIN = {"username": "nacos", "password": "golden-Pass_1"}
LOGIN1, LOGIN3 = "/v1/auth/users/login", "/v3/auth/user/login"
CONFIG = {"dataId": "golden.guarded", "group": "G"}
SERVICE = {"serviceName": "golden-guarded", "groupName": "G"}
INSTANCE = {**SERVICE, "ip": "10.0.0.1", "port": 80}


def as_admin() -> Step:
    return post(LOGIN1, ADMIN, save={"admin": "accessToken"})


def by(token: str) -> dict[str, str]:
    return {"accessToken": f"{{{{{token}}}}}"}


#: (method, path, parameters) of calls of every kind.
SECURED: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("GET", "/v1/cs/configs", CONFIG),
    ("POST", "/v1/cs/configs", {**CONFIG, "content": "c"}),
    ("DELETE", "/v1/cs/configs", CONFIG),
    ("GET", "/v1/cs/configs", {**CONFIG, "show": "all"}),
    ("GET", "/v1/cs/configs", {"search": "blur", "dataId": "", "group": "", "pageNo": 1, "pageSize": 1}),
    ("GET", "/v1/cs/history", {**CONFIG, "search": "accurate"}),
    ("POST", "/v1/cs/configs/listener", {"Listening-Configs": "golden.guarded\x02G\x02x\x01"}),
    ("GET", "/v1/ns/instance/list", SERVICE),
    ("GET", "/v1/ns/instance", INSTANCE),
    ("POST", "/v1/ns/instance", INSTANCE),
    ("PUT", "/v1/ns/instance/beat", INSTANCE),
    ("DELETE", "/v1/ns/instance", INSTANCE),
    ("GET", "/v1/ns/service/list", {"pageNo": 1, "pageSize": 1, "groupName": "G"}),
    ("POST", "/v1/ns/service", SERVICE),
    ("DELETE", "/v1/ns/service", SERVICE),
    ("GET", "/v1/ns/catalog/services", {"pageNo": 1, "pageSize": 1, "withInstances": "false", "groupNameParam": "G"}),
    ("GET", "/v1/ns/operator/metrics", {}),
    ("GET", "/v1/ns/operator/switches", {}),
    ("GET", "/v1/console/namespaces", {}),
    ("POST", "/v1/console/namespaces", {"customNamespaceId": "golden-x", "namespaceName": "x"}),
    ("DELETE", "/v1/console/namespaces", {"namespaceId": "golden-x"}),
    ("GET", "/v1/console/server/state", {}),
    ("GET", "/v1/console/health/liveness", {}),
    ("GET", "/v1/console/health/readiness", {}),
    ("GET", "/v1/core/cluster/nodes", {}),
    ("GET", "/v1/auth/users", {"search": "accurate", "pageNo": 1, "pageSize": 10, "username": "nacos"}),
    ("GET", "/v1/auth/roles", {"search": "accurate", "pageNo": 1, "pageSize": 10, "username": "nacos"}),
    ("GET", "/v2/cs/config", CONFIG),
    ("POST", "/v2/cs/config", {**CONFIG, "content": "c"}),
    ("DELETE", "/v2/cs/config", CONFIG),
    ("GET", "/v2/ns/instance/list", SERVICE),
    ("POST", "/v2/ns/instance", INSTANCE),
    ("DELETE", "/v2/ns/instance", INSTANCE),
    ("GET", "/v2/ns/client/list", {}),
    ("GET", "/v2/console/namespace/list", {}),
    ("GET", "/v2/console/namespace", {"namespaceId": "public"}),
    ("POST", "/v2/console/namespace", {"namespaceId": "golden-x", "namespaceName": "x"}),
    ("DELETE", "/v2/console/namespace", {"namespaceId": "golden-x"}),
    ("GET", "/v2/core/cluster/node/self", {}),
    ("GET", "/nowhere", {}),
)
KEY3 = {"dataId": "golden.guarded", "groupName": "G"}
SECURED_3: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("GET", "/v3/client/cs/config", KEY3),
    ("GET", "/v3/client/ns/instance/list", SERVICE),
    ("POST", "/v3/client/ns/instance", INSTANCE),
    ("DELETE", "/v3/client/ns/instance", INSTANCE),
    ("GET", "/v3/admin/cs/config", KEY3),
    ("GET", "/v3/admin/cs/config/list", {"pageNo": 1, "pageSize": 1, "dataId": "", "groupName": "G"}),
    ("POST", "/v3/admin/cs/config", {**KEY3, "content": "c"}),
    ("DELETE", "/v3/admin/cs/config", KEY3),
    ("GET", "/v3/admin/cs/history/list", KEY3),
    ("GET", "/v3/admin/ns/service/list", {"groupNameParam": "G", "pageNo": 1, "pageSize": 1}),
    ("POST", "/v3/admin/ns/instance", INSTANCE),
    ("DELETE", "/v3/admin/ns/instance", INSTANCE),
    ("GET", "/v3/admin/ns/client", {"clientId": "nobody"}),
    ("GET", "/v3/admin/ns/ops/metrics", {}),
    ("GET", "/v3/admin/core/namespace/list", {}),
    ("GET", "/v3/admin/core/namespace", {"namespaceId": "public"}),
    ("GET", "/v3/admin/core/cluster/node/self", {}),
    ("GET", "/v3/admin/core/state", {}),
    ("GET", "/v3/admin/core/state/liveness", {}),
    ("GET", "/v3/auth/user/list", {"pageNo": 1, "pageSize": 10, "username": "nacos"}),
    ("GET", "/v3/auth/role/list", {"pageNo": 1, "pageSize": 10, "username": "nacos"}),
    ("GET", "/v3/auth/permission/list", {"pageNo": 1, "pageSize": 10}),
)
CONSOLE_3: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("GET", "/v3/console/cs/config", KEY3),
    ("POST", "/v3/console/cs/config", {**KEY3, "content": "c"}),
    ("DELETE", "/v3/console/cs/config", KEY3),
    ("GET", "/v3/console/ns/service/list", {"groupNameParam": "G", "pageNo": 1, "pageSize": 1}),
    ("GET", "/v3/console/core/namespace/list", {}),
    ("GET", "/v3/console/core/cluster/nodes", {}),
    ("GET", "/v3/console/server/state", {}),
    ("GET", "/v3/console/health/liveness", {}),
    ("GET", "/v3/auth/user/list", {"pageNo": 1, "pageSize": 10, "username": "nacos"}),
)


def _asked(
    lines: tuple[tuple[str, str, Mapping[str, Any]], ...], more: Mapping[str, Any], **how: Any
) -> tuple[Step, ...]:
    return tuple(ask(method, path, {**parameters, **more}, **how) for method, path, parameters in lines)


def _reader(name: str, action: str, resource: str) -> tuple[Step, ...]:
    """A user with one role that may do `action` on `resource`, logged in."""
    return (
        as_admin(),
        post("/v1/auth/users", {"username": f"golden-{name}", "password": "secret", **by("admin")}),
        post("/v1/auth/roles", {"username": f"golden-{name}", "role": f"golden-{name}-role", **by("admin")}),
        post(
            "/v1/auth/permissions",
            {"role": f"golden-{name}-role", "resource": resource, "action": action, **by("admin")},
        ),
        post(LOGIN1, {"username": f"golden-{name}", "password": "secret"}, save={"user": "accessToken"}),
    )


def _unreader(name: str, action: str, resource: str) -> tuple[Step, ...]:
    return (
        delete(
            "/v1/auth/permissions",
            {"role": f"golden-{name}-role", "resource": resource, "action": action, **by("admin")},
        ),
        delete("/v1/auth/roles", {"role": f"golden-{name}-role", **by("admin")}),
        delete("/v1/auth/users", {"username": f"golden-{name}", **by("admin")}),
    )


_MAY = (
    ("GET", "/v1/cs/configs", CONFIG),
    ("POST", "/v1/cs/configs", {**CONFIG, "content": "c"}),
    ("DELETE", "/v1/cs/configs", CONFIG),
    ("GET", "/v1/ns/instance/list", SERVICE),
    ("POST", "/v1/ns/instance", INSTANCE),
    ("DELETE", "/v1/ns/instance", INSTANCE),
    ("GET", "/v1/cs/configs", {**CONFIG, "tenant": "golden-other"}),
    ("GET", "/v1/ns/instance/list", {**SERVICE, "namespaceId": "golden-other"}),
)
GRANTS = (
    ("r", "r", "public:*:*"),
    ("w", "w", "public:*:*"),
    ("rw", "rw", "public:*:*"),
    ("dot", "rw", ":*:*"),
    ("config", "rw", "public:G:config/*"),
    ("one", "r", "public:G:config/golden.guarded"),
    ("service", "r", "public:G:naming/golden-*"),
    ("group", "rw", "public:other:*"),
    ("other", "rw", "golden-other:*:*"),
    ("all", "rw", "*:*:*"),
)


def _may(name: str, action: str, resource: str) -> Case:
    mine = by("user")
    grpc = (
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers=mine),
        rpc("ConfigPublishRequest", {**CONFIG, "tenant": "", "content": "c"}, headers=mine),
        rpc("ConfigRemoveRequest", {**CONFIG, "tenant": ""}, headers=mine),
        rpc("ServiceQueryRequest", {"namespace": "public", **SERVICE}, headers=mine),
        rpc(
            "ConfigBatchListenRequest",
            {"listen": True, "configListenContexts": [{**CONFIG, "tenant": "", "md5": "x"}]},
            headers=mine,
        ),
    )
    return case(
        f"auth/may-{name}",
        *_reader(name, action, resource),
        *_asked(_MAY, mine),
        *grpc,
        *_unreader(name, action, resource),
    )


CASES = (
    case(
        "auth/login",
        post(LOGIN1, ADMIN),
        post("/v1/auth/login", ADMIN),
        ask("POST", LOGIN1, ADMIN),
        ask("POST", LOGIN1, {"username": "nacos"}, form={"password": ADMIN["password"]}),
        post(LOGIN1, {**ADMIN, "password": "wrong"}),
        post(LOGIN1, {**ADMIN, "username": "nobody"}),
        post(LOGIN1, {"username": "nacos"}),
        post(LOGIN1, {"password": "x"}),
        post(LOGIN1, {}),
        post(LOGIN1, {"username": "", "password": ""}),
        get(LOGIN1, ADMIN),
        post(LOGIN3, ADMIN),
        post(LOGIN3, {**ADMIN, "password": "wrong"}),
        post(LOGIN3, {"username": "nacos"}),
        post(LOGIN3, {}),
        post("/v1/auth/users/admin", {"password": "x"}),
        post("/v3/auth/user/admin", {"password": "x"}),
    ),
    case(
        "auth/login-on-the-console",
        post(LOGIN3, ADMIN, port="console"),
        post(LOGIN3, {**ADMIN, "password": "wrong"}, port="console"),
        on_2=False,
    ),
    case("auth/nobody", *_asked(SECURED, {})),
    case("auth/admin", as_admin(), *_asked(SECURED, by("admin"))),
    case(
        "auth/admin-by-header",
        as_admin(),
        *_asked(SECURED[:3], {}, headers={"Authorization": "Bearer {{admin}}"}),
        *_asked(SECURED[:3], {}, headers={"accessToken": "{{admin}}"}),
        *_asked(SECURED[:3], {}, headers={"Authorization": "{{admin}}"}),
    ),
    case("auth/admin-by-password", *_asked(SECURED[:4], ADMIN), *_asked(SECURED[:4], {**ADMIN, "password": "wrong"})),
    case(
        "auth/bad-tokens",
        *(
            step
            for token in (
                "nonsense",
                "a.b.c",
                "",
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJuYWNvcyIsImV4cCI6MTcwMDAwMDAwMH0.x",
                "eyJhbGciOiJub25lIn0.eyJzdWIiOiJuYWNvcyIsImV4cCI6MTk5OTk5OTk5OX0.",
            )
            for step in _asked((SECURED[0], SECURED[9], SECURED[25]), {"accessToken": token})
        ),
    ),
    case(
        "auth/server-agent-opens-nothing",
        *_asked((SECURED[0], SECURED[9], SECURED[25]), {}, headers={"User-Agent": "Nacos-Server"}),
        *_asked((SECURED[0],), {}, headers={"User-Agent": "Nacos-Server:v2.0.0"}),
    ),
    case(
        "auth/server-identity",
        *_asked((SECURED[0], SECURED[9]), {}, headers={"golden-key": "golden-value"}),
        *_asked((SECURED[0],), {}, headers={"golden-key": "wrong"}),
        *_asked((SECURED[0],), {}, headers={"serverIdentity": "security"}),
    ),
    case("auth/nobody-v3", *_asked(SECURED_3, {}), on_2=False),
    case("auth/admin-v3", as_admin(), *_asked(SECURED_3, by("admin")), on_2=False),
    case("auth/nobody-console", *_asked(CONSOLE_3, {}, port="console"), on_2=False),
    case("auth/admin-console", as_admin(), *_asked(CONSOLE_3, by("admin"), port="console"), on_2=False),
    case(
        "auth/plain-user",
        as_admin(),
        post("/v1/auth/users", {"username": "golden-plain", "password": "secret", **by("admin")}),
        post(LOGIN1, {"username": "golden-plain", "password": "secret"}, save={"user": "accessToken"}),
        *_asked(SECURED, by("user")),
        put("/v1/auth/users", {"username": "golden-plain", "newPassword": "other", **by("user")}),
        put("/v1/auth/users", {"username": "nacos", "newPassword": "other", **by("user")}),
        post(LOGIN1, {"username": "golden-plain", "password": "secret"}),
        post(LOGIN1, {"username": "golden-plain", "password": "other"}),
        delete("/v1/auth/users", {"username": "golden-plain", **by("admin")}),
        *_asked(SECURED[:1], by("user")),
    ),
    case(
        "auth/plain-user-v3",
        as_admin(),
        post("/v1/auth/users", {"username": "golden-plain3", "password": "secret", **by("admin")}),
        post(LOGIN3, {"username": "golden-plain3", "password": "secret"}, save={"user": "accessToken"}),
        *_asked(SECURED_3, by("user")),
        *_asked(CONSOLE_3, by("user"), port="console"),
        delete("/v1/auth/users", {"username": "golden-plain3", **by("admin")}),
        on_2=False,
    ),
    *(_may(*grant) for grant in GRANTS),
    case(
        "auth/users-v1",
        as_admin(),
        post("/v1/auth/users", {"username": "golden-u", "password": "secret", **by("admin")}),
        post("/v1/auth/users", {"username": "golden-u", "password": "secret", **by("admin")}),
        post("/v1/auth/users", {"username": "golden-v", **by("admin")}),
        post("/v1/auth/users", by("admin")),
        get(
            "/v1/auth/users", {"search": "accurate", "pageNo": 1, "pageSize": 10, "username": "golden-u", **by("admin")}
        ),
        get("/v1/auth/users", {"search": "blur", "pageNo": 1, "pageSize": 10, "username": "golden*", **by("admin")}),
        get("/v1/auth/users", {"search": "accurate", "pageNo": 1, "pageSize": 10, "username": "nobody", **by("admin")}),
        get("/v1/auth/users", {"pageNo": 1, "pageSize": 10, **by("admin")}),
        get("/v1/auth/users", {"search": "accurate", **by("admin")}),
        get("/v1/auth/users/search", {"username": "golden", **by("admin")}),
        get("/v1/auth/users/search", by("admin")),
        put("/v1/auth/users", {"username": "golden-u", "newPassword": "other", **by("admin")}),
        put("/v1/auth/users", {"username": "nobody", "newPassword": "other", **by("admin")}),
        put("/v1/auth/users", {"username": "golden-u", **by("admin")}),
        delete("/v1/auth/users", {"username": "nacos", **by("admin")}),
        delete("/v1/auth/users", {"username": "golden-u", **by("admin")}),
        delete("/v1/auth/users", {"username": "golden-u", **by("admin")}),
        delete("/v1/auth/users", by("admin")),
    ),
    case(
        "auth/roles-v1",
        as_admin(),
        post("/v1/auth/users", {"username": "golden-r", "password": "secret", **by("admin")}),
        post("/v1/auth/roles", {"role": "golden-role", "username": "golden-r", **by("admin")}),
        post("/v1/auth/roles", {"role": "golden-role", "username": "golden-r", **by("admin")}),
        post("/v1/auth/roles", {"role": "golden-role", "username": "nobody", **by("admin")}),
        post("/v1/auth/roles", {"role": "ROLE_ADMIN", "username": "golden-r", **by("admin")}),
        post("/v1/auth/roles", {"role": "golden-role", **by("admin")}),
        get(
            "/v1/auth/roles", {"search": "accurate", "pageNo": 1, "pageSize": 10, "role": "golden-role", **by("admin")}
        ),
        get(
            "/v1/auth/roles", {"search": "accurate", "pageNo": 1, "pageSize": 10, "username": "golden-r", **by("admin")}
        ),
        get("/v1/auth/roles", {"search": "blur", "pageNo": 1, "pageSize": 10, "role": "golden*", **by("admin")}),
        get("/v1/auth/roles", {"pageNo": 1, "pageSize": 10, **by("admin")}),
        get("/v1/auth/roles/search", {"role": "golden", **by("admin")}),
        post("/v1/auth/permissions", {"role": "golden-role", "resource": "public:*:*", "action": "r", **by("admin")}),
        post("/v1/auth/permissions", {"role": "golden-role", "resource": "public:*:*", "action": "r", **by("admin")}),
        post("/v1/auth/permissions", {"role": "nobody", "resource": "public:*:*", "action": "r", **by("admin")}),
        post("/v1/auth/permissions", {"role": "golden-role", "resource": "public:*:*", "action": "x", **by("admin")}),
        post("/v1/auth/permissions", {"role": "golden-role", **by("admin")}),
        get(
            "/v1/auth/permissions",
            {"search": "accurate", "pageNo": 1, "pageSize": 10, "role": "golden-role", **by("admin")},
        ),
        get("/v1/auth/permissions", {"search": "blur", "pageNo": 1, "pageSize": 10, "role": "golden*", **by("admin")}),
        get("/v1/auth/permissions", {"pageNo": 1, "pageSize": 10, "role": "golden-role", **by("admin")}),
        delete("/v1/auth/permissions", {"role": "golden-role", "resource": "public:*:*", "action": "x", **by("admin")}),
        delete("/v1/auth/permissions", {"role": "golden-role", "resource": "public:*:*", "action": "r", **by("admin")}),
        delete("/v1/auth/permissions", {"role": "golden-role", "resource": "public:*:*", "action": "r", **by("admin")}),
        delete("/v1/auth/permissions", {"role": "golden-role", **by("admin")}),
        delete("/v1/auth/roles", {"role": "golden-role", "username": "golden-r", **by("admin")}),
        delete("/v1/auth/roles", {"role": "golden-role", **by("admin")}),
        delete("/v1/auth/roles", by("admin")),
        delete("/v1/auth/users", {"username": "golden-r", **by("admin")}),
    ),
    case(
        "auth/accounts-v3",
        as_admin(),
        post("/v3/auth/user", {"username": "golden-3", "password": "secret", **by("admin")}),
        post("/v3/auth/user", {"username": "golden-3", "password": "secret", **by("admin")}),
        post("/v3/auth/user", {"username": "golden-4", **by("admin")}),
        get(
            "/v3/auth/user/list",
            {"search": "accurate", "pageNo": 1, "pageSize": 10, "username": "golden-3", **by("admin")},
        ),
        get(
            "/v3/auth/user/list", {"search": "blur", "pageNo": 1, "pageSize": 10, "username": "golden*", **by("admin")}
        ),
        get("/v3/auth/user/list", by("admin")),
        get("/v3/auth/user/search", {"username": "golden", **by("admin")}),
        put("/v3/auth/user", {"username": "golden-3", "newPassword": "other", **by("admin")}),
        put("/v3/auth/user", {"username": "nobody", "newPassword": "other", **by("admin")}),
        post("/v3/auth/role", {"role": "golden-role-3", "username": "golden-3", **by("admin")}),
        post("/v3/auth/role", {"role": "golden-role-3", "username": "golden-3", **by("admin")}),
        post("/v3/auth/role", {"role": "golden-role-3", "username": "nobody", **by("admin")}),
        post("/v3/auth/role", {"role": "ROLE_ADMIN", "username": "golden-3", **by("admin")}),
        get(
            "/v3/auth/role/list",
            {"search": "accurate", "pageNo": 1, "pageSize": 10, "role": "golden-role-3", **by("admin")},
        ),
        get("/v3/auth/role/search", {"role": "golden", **by("admin")}),
        post("/v3/auth/permission", {"role": "golden-role-3", "resource": "public:*:*", "action": "r", **by("admin")}),
        post("/v3/auth/permission", {"role": "golden-role-3", "resource": "public:*:*", "action": "r", **by("admin")}),
        post("/v3/auth/permission", {"role": "nobody", "resource": "public:*:*", "action": "r", **by("admin")}),
        get("/v3/auth/permission", {"role": "golden-role-3", "resource": "public:*:*", "action": "r", **by("admin")}),
        get(
            "/v3/auth/permission/list",
            {"search": "accurate", "pageNo": 1, "pageSize": 10, "role": "golden-role-3", **by("admin")},
        ),
        delete(
            "/v3/auth/permission", {"role": "golden-role-3", "resource": "public:*:*", "action": "r", **by("admin")}
        ),
        get("/v3/auth/permission", {"role": "golden-role-3", "resource": "public:*:*", "action": "r", **by("admin")}),
        delete("/v3/auth/role", {"role": "golden-role-3", "username": "golden-3", **by("admin")}),
        delete("/v3/auth/role", {"role": "golden-role-3", **by("admin")}),
        delete("/v3/auth/user", {"username": "nacos", **by("admin")}),
        delete("/v3/auth/user", {"username": "golden-3", **by("admin")}),
        delete("/v3/auth/user", {"username": "golden-3", **by("admin")}),
        delete("/v3/auth/user", by("admin")),
        on_2=False,
    ),
    case(
        "auth/grpc",
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}),
        rpc("ConfigPublishRequest", {**CONFIG, "tenant": "", "content": "c"}),
        rpc(
            "InstanceRequest",
            {"namespace": "public", **SERVICE, "type": "registerInstance", "instance": {"ip": "10.0.0.1", "port": 80}},
        ),
        rpc("ServiceListRequest", {"namespace": "public", "groupName": "G", "pageNo": 1, "pageSize": 1}),
        rpc("SubscribeServiceRequest", {"namespace": "public", **SERVICE, "subscribe": True}),
        rpc(
            "ConfigBatchListenRequest", {"listen": True, "configListenContexts": [{**CONFIG, "tenant": "", "md5": "x"}]}
        ),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers={"accessToken": "nonsense"}),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers={"username": "nacos", "password": "wrong"}),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers=ADMIN),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers={"golden-key": "golden-value"}),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers={"User-Agent": "Nacos-Server"}),
        rpc("HealthCheckRequest"),
        as_admin(),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers=by("admin")),
        rpc("ConfigQueryRequest", {**CONFIG, "tenant": ""}, headers={"Authorization": "Bearer {{admin}}"}),
    ),
)
