"""Naming over HTTP v1, v2, v3: instances, heart-beats, services, catalog, subscribers, health, clients, operators."""

from __future__ import annotations

import json
from typing import Any

from nacos_requests.steps import Case, Step, ask, case, delete, get, patch, post, put

V1, V2, ADMIN, OPEN = "/v1/ns/instance", "/v2/ns/instance", "/v3/admin/ns/instance", "/v3/client/ns/instance"
SERVICE1, SERVICE2, SERVICE3 = "/v1/ns/service", "/v2/ns/service", "/v3/admin/ns/service"
LONG = "x" * 600


def at(name: str, port: Any = 8080, ip: str = "10.0.0.1", **more: Any) -> dict[str, Any]:
    """The parameters of one instance."""
    return {"serviceName": f"golden-{name}", "ip": ip, "port": port, **more}


def of(name: str, **more: Any) -> dict[str, Any]:
    """The parameters of a service."""
    return {"serviceName": f"golden-{name}", **more}


BAD_INSTANCES: tuple[dict[str, Any], ...] = (
    {"ip": "10.0.0.1", "port": 80},
    {"serviceName": "golden-bad", "port": 80},
    {"serviceName": "golden-bad", "ip": "10.0.0.1"},
    at("bad", "abc"),
    at("bad", 70000),
    at("bad", -1),
    at("bad", ip="not an ip"),
    at("bad", ip="x" * 129),
    at("bad", weight="heavy"),
    at("bad", weight=-1),
    at("bad", weight=10001),
    at("bad", metadata="nonsense"),
    at("bad", metadata="a=b=c"),
    at("bad", metadata="x=" + "y" * 1100),
    at("bad", clusterName="a_b"),
    at("bad", clusterName="a b"),
    at("bad", clusterName="x" * 65),
    at("bad", groupName="G/G"),
    at("bad", groupName="x" * 129),
    at("bad", namespaceId="a b"),
    at("bad", namespaceId="x" * 65),
    {"serviceName": LONG, "ip": "10.0.0.1", "port": 80},
    {"serviceName": "a b", "ip": "10.0.0.1", "port": 80},
    {"serviceName": "服务", "ip": "10.0.0.1", "port": 80},
    {"serviceName": "@@x", "ip": "10.0.0.1", "port": 80},
    {"serviceName": "@x", "ip": "10.0.0.1", "port": 80},
    {"serviceName": "G@@", "ip": "10.0.0.1", "port": 80},
    {"serviceName": "", "ip": "10.0.0.1", "port": 80},
    at("bad", metadata=json.dumps({"preserved.heart.beat.timeout": "1000"})),
    at("bad", metadata=json.dumps({"preserved.ip.delete.timeout": "1000"})),
    at("bad", healthy="maybe", enabled="maybe", ephemeral="maybe"),
)


def _cleared(name: str, path: str = V1, **more: Any) -> Step:
    return delete(path, at(name, **more))


def _instances(name: str, path: str, subject: str, clusters: str) -> tuple[Case, ...]:
    """v1 and v2 differ in the envelope and in how they call the clusters."""
    ephemeral = at(f"{name}-e", clusterName="c1", weight=2.5, metadata=json.dumps({"zone": "a", "n": 1, "b": True}))
    persistent = at(f"{name}-p", ephemeral="false")
    return (
        case(
            f"{subject}/ephemeral",
            post(path, ephemeral),
            post(path, ephemeral),
            post(path, at(f"{name}-e", 8081, healthy="false")),
            post(path, at(f"{name}-e", 8082, enabled="false")),
            post(path, at(f"{name}-e", 8083, enable="false", cluster="c2", metadata="k1=v1,k2=v2")),
            post(path, at(f"{name}-e", 8084, weight=0)),
            get(f"{path}/list", of(f"{name}-e")),
            get(f"{path}/list", of(f"{name}-e", healthyOnly="true")),
            get(f"{path}/list", of(f"{name}-e", healthyOnly="True")),
            get(f"{path}/list", of(f"{name}-e", **{clusters: "c1"})),
            get(f"{path}/list", of(f"{name}-e", **{clusters: "c1,DEFAULT"})),
            get(f"{path}/list", of(f"{name}-e", **{clusters: "c9"})),
            get(f"{path}/list", of(f"{name}-e", groupName="DEFAULT_GROUP", namespaceId="public")),
            get(f"{path}/list", {"serviceName": f"DEFAULT_GROUP@@golden-{name}-e", "groupName": "ignored"}),
            get(f"{path}/list", of(f"{name}-e", groupName="other")),
            get(f"{path}/list", of(f"{name}-e", namespaceId="golden-nobody")),
            get(path, at(f"{name}-e", clusterName="c1")),
            get(path, at(f"{name}-e", cluster="c1")),
            get(path, at(f"{name}-e", 8081)),
            get(path, at(f"{name}-e", 8082)),
            get(path, at(f"{name}-e", 9999)),
            get(path, at(f"{name}-e", clusterName="c9")),
            get(path, at(f"{name}-nobody")),
            *(_cleared(f"{name}-e", path, port=port) for port in (8081, 8082, 8084)),
            _cleared(f"{name}-e", path, clusterName="c1"),
            _cleared(f"{name}-e", path, port=8083, clusterName="c2"),
            _cleared(f"{name}-e", path),
            get(f"{path}/list", of(f"{name}-e")),
        ),
        case(
            f"{subject}/persistent",
            post(path, persistent),
            get(f"{path}/list", of(f"{name}-p")),
            post(path, at(f"{name}-p")),
            get(path, at(f"{name}-p")),
            _cleared(f"{name}-p", path),
            _cleared(f"{name}-p", path, ephemeral="false"),
            get(f"{path}/list", of(f"{name}-p")),
            delete(SERVICE1, of(f"{name}-p")),
        ),
        case(
            f"{subject}/ephemeral-then-persistent",
            post(path, at(f"{name}-m")),
            post(path, at(f"{name}-m", ephemeral="false")),
            _cleared(f"{name}-m", path),
        ),
        case(
            f"{subject}/register-refusals", *(post(path, bad) for bad in BAD_INSTANCES), delete(path, at("bad", "80"))
        ),
        case(
            f"{subject}/deregister-refusals",
            *(delete(path, bad) for bad in BAD_INSTANCES[:8]),
            _cleared("nobody", path),
        ),
        case(
            f"{subject}/list-refusals",
            get(f"{path}/list", {}),
            get(f"{path}/list", {"serviceName": "a b"}),
            get(f"{path}/list", {"serviceName": LONG}),
            get(f"{path}/list", {"serviceName": "@@x"}),
            get(f"{path}/list", of("nobody")),
            get(f"{path}/list", of("nobody", healthyOnly="maybe")),
            get(f"{path}/list", of("nobody", udpPort="x")),
            get(f"{path}/list", of("nobody", namespaceId="a b")),
            get(path, of("nobody")),
            get(path, at("nobody", "abc")),
        ),
        case(
            f"{subject}/update",
            put(path, at(f"{name}-nobody")),
            post(path, at(f"{name}-u", metadata="a=1,b=2")),
            put(path, at(f"{name}-u", weight=5, metadata="b=3,c=4", enabled="false")),
            get(path, at(f"{name}-u")),
            get(f"{path}/list", of(f"{name}-u")),
            put(path, at(f"{name}-u")),
            get(path, at(f"{name}-u")),
            put(path, at(f"{name}-u", 9999, weight=3)),
            get(path, at(f"{name}-u", 9999)),
            put(path, at(f"{name}-u", weight=-1)),
            put(path, at(f"{name}-u", "abc")),
            patch(path, at(f"{name}-u", weight=7)),
            get(path, at(f"{name}-u")),
            patch(path, at(f"{name}-u", metadata="d=5", enabled="true", healthy="false")),
            get(path, at(f"{name}-u")),
            patch(path, at(f"{name}-u", 9999, weight=3)),
            patch(path, at(f"{name}-nobody", weight=3)),
            patch(path, of(f"{name}-u")),
            _cleared(f"{name}-u", path),
        ),
        case(
            f"{subject}/metadata-batch",
            post(path, at(f"{name}-b", metadata="a=1")),
            post(path, at(f"{name}-b", 8081)),
            put(f"{path}/metadata/batch", of(f"{name}-b", metadata=json.dumps({"x": "1"}))),
            put(
                f"{path}/metadata/batch",
                of(
                    f"{name}-b",
                    consistencyType="ephemeral",
                    metadata=json.dumps({"y": "2"}),
                    instances=json.dumps(
                        [{"ip": "10.0.0.1", "port": 8080, "ephemeral": True, "clusterName": "DEFAULT"}]
                    ),
                ),
            ),
            put(
                f"{path}/metadata/batch",
                of(f"{name}-b", consistencyType="persist", metadata=json.dumps({"z": "2"}), instances="[]"),
            ),
            get(f"{path}/list", of(f"{name}-b")),
            delete(
                f"{path}/metadata/batch", of(f"{name}-b", consistencyType="ephemeral", metadata=json.dumps({"x": ""}))
            ),
            get(f"{path}/list", of(f"{name}-b")),
            put(f"{path}/metadata/batch", of(f"{name}-b", consistencyType="ephemeral", metadata="nonsense")),
            put(f"{path}/metadata/batch", of(f"{name}-b", consistencyType="ephemeral")),
            put(f"{path}/metadata/batch", of(f"{name}-nobody", consistencyType="ephemeral", metadata="a=1")),
            put(f"{path}/metadata/batch", {"metadata": "a=1"}),
            _cleared(f"{name}-b", path),
            _cleared(f"{name}-b", path, port=8081),
        ),
        case(
            f"{subject}/beat",
            put(f"{path}/beat", at(f"{name}-h")),
            put(
                f"{path}/beat",
                of(
                    f"{name}-h",
                    beat=json.dumps(
                        {
                            "serviceName": f"DEFAULT_GROUP@@golden-{name}-h",
                            "ip": "10.0.0.1",
                            "port": 8080,
                            "weight": 3,
                            "cluster": "c1",
                            "metadata": {"preserved.heart.beat.interval": "7000"},
                        }
                    ),
                ),
            ),
            get(f"{path}/list", of(f"{name}-h")),
            put(f"{path}/beat", at(f"{name}-h")),
            put(f"{path}/beat", at(f"{name}-h", clusterName="c1")),
            put(f"{path}/beat", of(f"{name}-h", beat="nonsense")),
            put(f"{path}/beat", of(f"{name}-h", beat="{}")),
            put(f"{path}/beat", {"beat": json.dumps({"ip": "10.0.0.1", "port": 8080})}),
            put(f"{path}/beat", of(f"{name}-h")),
            put(f"{path}/beat", {}),
            post(path, at(f"{name}-h", 8081, healthy="false")),
            put(f"{path}/beat", at(f"{name}-h", 8081)),
            get(path, at(f"{name}-h", 8081)),
            _cleared(f"{name}-h", path, clusterName="c1"),
            _cleared(f"{name}-h", path, port=8081),
        ),
        case(
            f"{subject}/protection",
            post(SERVICE1, of(f"{name}-g", protectThreshold=0.5)),
            post(path, at(f"{name}-g", 8080, ephemeral="false", healthy="false")),
            get(f"{path}/list", of(f"{name}-g")),
            get(f"{path}/list", of(f"{name}-g", healthyOnly="true")),
            _cleared(f"{name}-g", path, ephemeral="false"),
            delete(SERVICE1, of(f"{name}-g")),
        ),
        case(
            f"{subject}/statuses",
            post(path, at(f"{name}-s")),
            post(path, at(f"{name}-s", 8081, healthy="false", clusterName="c2")),
            get(f"{path}/statuses", {"key": f"public##DEFAULT_GROUP@@golden-{name}-s"}),
            get(f"{path}/statuses", {"key": f"DEFAULT_GROUP@@golden-{name}-s"}),
            get(f"{path}/statuses", {"key": "public##DEFAULT_GROUP@@golden-nobody"}),
            get(f"{path}/statuses", {}),
            get(f"{path}/statuses/public%23%23DEFAULT_GROUP@@golden-{name}-s", {}),
            get(f"{path}/statuses/public%23%23DEFAULT_GROUP@@golden-nobody", {}),
            _cleared(f"{name}-s", path),
            _cleared(f"{name}-s", path, port=8081, clusterName="c2"),
        ),
    )


def _services(name: str, path: str, subject: str, at_port: str = "main", on_2: bool = True) -> tuple[Case, ...]:
    """Service calls of every version: the parameters are the same."""
    p: dict[str, Any] = {"port": at_port}
    return (
        case(
            f"{subject}/life",
            get(path, of(f"{name}-svc"), **p),
            post(path, of(f"{name}-svc", protectThreshold=0.8, metadata=json.dumps({"team": "bi"})), **p),
            post(path, of(f"{name}-svc"), **p),
            get(path, of(f"{name}-svc"), **p),
            put(path, of(f"{name}-svc", protectThreshold=0.2, metadata="a=1"), **p),
            get(path, of(f"{name}-svc"), **p),
            put(path, of(f"{name}-svc"), **p),
            post(V1, at(f"{name}-svc", ephemeral="false")),
            get(path, of(f"{name}-svc"), **p),
            delete(path, of(f"{name}-svc"), **p),
            delete(V1, at(f"{name}-svc", ephemeral="false")),
            delete(path, of(f"{name}-svc"), **p),
            delete(path, of(f"{name}-svc"), **p),
            put(path, of(f"{name}-svc", protectThreshold=0.2), **p),
            on_2=on_2,
        ),
        case(
            f"{subject}/ephemeral-service",
            post(path, of(f"{name}-ep", ephemeral="true"), **p),
            get(path, of(f"{name}-ep"), **p),
            post(V1, at(f"{name}-ep")),
            delete(V1, at(f"{name}-ep")),
            delete(path, of(f"{name}-ep"), **p),
            on_2=on_2,
        ),
        case(
            f"{subject}/refusals",
            *(
                step
                for bad in (
                    {},
                    {"serviceName": ""},
                    {"serviceName": "a b"},
                    {"serviceName": LONG},
                    of("bad-s", protectThreshold="x"),
                    of("bad-s", protectThreshold=-1),
                    of("bad-s", protectThreshold=2),
                    of("bad-s", metadata="nonsense"),
                    of("bad-s", selector="nonsense"),
                    of("bad-s", selector=json.dumps({"type": "nonsense"})),
                    of("bad-s", selector=json.dumps({"type": "none"})),
                    of("bad-s", namespaceId="a b"),
                    of("bad-s", groupName="G/G"),
                )
                for step in (post(path, bad, **p), delete(path, of("bad-s"), **p))
            ),
            get(path, {}, **p),
            put(path, {"protectThreshold": 1}, **p),
            delete(path, {}, **p),
            on_2=on_2,
        ),
    )


_LISTS = (
    case(
        "naming-v1/service-list",
        post(SERVICE1, of("l-1", namespaceId="golden-list", groupName="G")),
        post(SERVICE1, of("l-2", namespaceId="golden-list", groupName="G")),
        post(SERVICE1, of("l-3", namespaceId="golden-list")),
        get(f"{SERVICE1}/list", {"pageNo": 1, "pageSize": 10, "namespaceId": "golden-list", "groupName": "G"}),
        get(f"{SERVICE1}/list", {"pageNo": 1, "pageSize": 10, "namespaceId": "golden-list"}),
        get(f"{SERVICE1}/list", {"pageNo": 9, "pageSize": 10, "namespaceId": "golden-list", "groupName": "G"}),
        get(f"{SERVICE1}/list", {"pageNo": 0, "pageSize": 10, "namespaceId": "golden-list", "groupName": "G"}),
        get(f"{SERVICE1}/list", {"pageNo": 1, "pageSize": 0, "namespaceId": "golden-list", "groupName": "G"}),
        get(f"{SERVICE1}/list", {"pageNo": 1, "pageSize": 10, "namespaceId": "golden-nobody"}),
        get(f"{SERVICE1}/list", {"pageNo": "x", "pageSize": 10}),
        get(f"{SERVICE1}/list", {"pageSize": 10}),
        get(f"{SERVICE1}/list", {}),
        get(f"{SERVICE1}/names", {"namespaceId": "golden-list"}),
        get(f"{SERVICE1}/names", {"namespaceId": "golden-list", "expr": "l-1"}),
        get(f"{SERVICE1}/selector/types", {}),
        get(f"{SERVICE2}/list", {"pageNo": 1, "pageSize": 10, "namespaceId": "golden-list", "groupName": "G"}),
        get(f"{SERVICE2}/list", {"namespaceId": "golden-list"}),
        get(f"{SERVICE2}/list", {"pageNo": 9, "namespaceId": "golden-list", "groupName": "G"}),
        get(f"{SERVICE2}/list", {"pageNo": 0, "namespaceId": "golden-list", "groupName": "G"}),
        delete(SERVICE1, of("l-1", namespaceId="golden-list", groupName="G")),
        delete(SERVICE1, of("l-2", namespaceId="golden-list", groupName="G")),
        delete(SERVICE1, of("l-3", namespaceId="golden-list")),
    ),
    case(
        "naming-v1/catalog",
        post(SERVICE1, of("cat-0", namespaceId="golden-cat")),
        post(V1, at("cat-1", namespaceId="golden-cat", clusterName="c1")),
        post(V1, at("cat-1", 8081, namespaceId="golden-cat", enabled="false")),
        post(V1, at("cat-2", namespaceId="golden-cat", groupName="G", healthy="false")),
        *(
            get("/v1/ns/catalog/services", {"namespaceId": "golden-cat", "pageNo": 1, "pageSize": 10, **more})
            for more in (
                {"withInstances": "false"},
                {"withInstances": "true"},
                {},
                {"withInstances": "false", "hasIpCount": "true"},
                {"withInstances": "false", "serviceNameParam": "cat-1"},
                {"withInstances": "false", "groupNameParam": "G"},
                {"withInstances": "false", "serviceNameParam": "*cat*"},
                {
                    "withInstances": "false",
                    "pageSize": 1,
                    "pageNo": 2,
                    "hasIpCount": "true",
                    "serviceNameParam": "cat-1",
                },
                {"withInstances": "false", "pageNo": 0},
                {"withInstances": "false", "namespaceId": "golden-nobody"},
            )
        ),
        get("/v1/ns/catalog/services", {"namespaceId": "golden-cat"}),
        *(
            get(
                f"/{version}/ns/catalog/instances",
                {**of("cat-1", namespaceId="golden-cat", pageNo=1, pageSize=10), **more},
            )
            for version in ("v1", "v2")
            for more in (
                {},
                {"clusterName": "c1"},
                {"clusterName": "c9"},
                {"pageSize": 1, "clusterName": "DEFAULT"},
                {"groupName": "other"},
            )
        ),
        get("/v1/ns/catalog/instances", of("cat-1", namespaceId="golden-cat")),
        get("/v1/ns/catalog/instances", {"pageNo": 1, "pageSize": 10}),
        get("/v1/ns/catalog/service", of("cat-1", namespaceId="golden-cat")),
        get("/v1/ns/catalog/service", of("cat-0", namespaceId="golden-cat")),
        get("/v1/ns/catalog/service", of("cat-9", namespaceId="golden-cat")),
        get("/v1/ns/catalog/service", {}),
        delete(SERVICE1, of("cat-0", namespaceId="golden-cat")),
        delete(V1, at("cat-1", namespaceId="golden-cat", clusterName="c1")),
        delete(V1, at("cat-1", 8081, namespaceId="golden-cat")),
        delete(V1, at("cat-2", namespaceId="golden-cat", groupName="G")),
    ),
    case(
        "naming-v1/subscribers",
        get(f"{SERVICE1}/subscribers", of("nobody")),
        get(f"{SERVICE1}/subscribers", of("nobody", aggregation="false", pageNo=1, pageSize=10)),
        get(f"{SERVICE1}/subscribers", {}),
        get(f"{SERVICE1}/subscribers", of("nobody", pageNo="x")),
    ),
    case(
        "naming-v1/cluster",
        post(V1, at("cl", ephemeral="false", clusterName="c1")),
        put(
            "/v1/ns/cluster",
            of(
                "cl",
                clusterName="c1",
                checkPort=81,
                useInstancePort4Check="false",
                healthChecker=json.dumps({"type": "NONE"}),
                metadata="a=1",
            ),
        ),
        get(SERVICE1, of("cl")),
        put("/v1/ns/health", at("cl", clusterName="c1", healthy="false")),
        get(V1, at("cl", clusterName="c1")),
        put("/v1/ns/health/instance", at("cl", clusterName="c1", healthy="true")),
        put("/v1/ns/health", at("cl", clusterName="c1", valid="false")),
        get(V1, at("cl", clusterName="c1")),
        put("/v1/ns/health", at("cl", clusterName="c1")),
        put("/v1/ns/health", at("cl", 9999, clusterName="c1", healthy="true")),
        put("/v1/ns/health", at("cl", clusterName="c9", healthy="true")),
        put("/v1/ns/health", at("nobody", healthy="true")),
        put("/v2/ns/health/instance", at("cl", clusterName="c1", healthy="true")),
        put("/v2/ns/health", at("cl", clusterName="c9", healthy="true")),
        put("/v2/ns/health", at("cl", clusterName="c1")),
        put("/v2/ns/health", at("cl", 9999, clusterName="c1", healthy="true")),
        put(
            "/v1/ns/cluster",
            of(
                "cl",
                clusterName="c1",
                checkPort=80,
                useInstancePort4Check="true",
                healthChecker=json.dumps(
                    {"type": "HTTP", "path": "/health", "headers": "", "expectedResponseCode": 200}
                ),
            ),
        ),
        get(SERVICE1, of("cl")),
        get("/v1/ns/catalog/service", of("cl")),
        put(
            "/v1/ns/cluster",
            of("cl", clusterName="c1", checkPort=80, useInstancePort4Check="true", healthChecker="nonsense"),
        ),
        put(
            "/v1/ns/cluster",
            of(
                "cl",
                clusterName="c1",
                checkPort=80,
                useInstancePort4Check="true",
                healthChecker=json.dumps({"type": "NONSENSE"}),
            ),
        ),
        put(
            "/v1/ns/cluster",
            of("cl", clusterName="c1", useInstancePort4Check="true", healthChecker=json.dumps({"type": "TCP"})),
        ),
        put("/v1/ns/cluster", of("cl", clusterName="c1")),
        put(
            "/v1/ns/cluster",
            of(
                "nobody",
                clusterName="c1",
                checkPort=80,
                useInstancePort4Check="true",
                healthChecker=json.dumps({"type": "TCP"}),
            ),
        ),
        put("/v1/ns/cluster", {}),
        delete(V1, at("cl", ephemeral="false", clusterName="c1")),
        delete(SERVICE1, of("cl")),
    ),
    case(
        "naming-v1/operator",
        *(
            get(f"/v1/ns/{alias}/{path}", query)
            for alias in ("operator", "ops")
            for path, query in (
                ("metrics", {}),
                ("switches", {}),
                ("distro/client", {"ip": "10.0.0.1", "port": 80}),
                ("distro/client", {}),
            )
        ),
        get("/v1/ns/operator/metrics", {"onlyStatus": "false"}),
        get("/v1/ns/operator/push/state", {}),
        get("/v1/ns/operator/push/state", {"detail": "true"}),
        get("/v1/ns/operator/servers", {}),
        get("/v1/ns/raft/leader", {}),
        get("/v1/ns/health/server", {}),
        get("/v1/ns/health/checkers", {}),
        get("/v2/ns/operator/metrics", {}),
        get("/v2/ns/operator/metrics", {"onlyStatus": "false"}),
        get("/v2/ns/operator/switches", {}),
        get("/v2/ns/ops/metrics", {}),
        get("/v2/ns/ops/switches", {}),
    ),
    case(
        "naming-v1/switches-are-turned",
        put("/v1/ns/operator/switches", {"entry": "pushEnabled", "value": "false"}),
        get("/v1/ns/operator/switches", {}),
        put("/v1/ns/operator/switches", {"entry": "pushEnabled", "value": "true"}),
        put("/v1/ns/operator/switches", {"entry": "nonsense", "value": "true"}),
        put("/v1/ns/operator/switches", {"entry": "checkTimes", "value": "x"}),
        put("/v1/ns/operator/switches", {}),
    ),
    case(
        "naming-v2/clients",
        post(V1, at("who", ip="10.0.0.77")),
        get("/v2/ns/client", {"clientId": "10.0.0.77:8080#true"}),
        get("/v2/ns/client", {"clientId": "nobody"}),
        get("/v2/ns/client", {}),
        get("/v2/ns/client/publish/list", {"clientId": "10.0.0.77:8080#true"}),
        get("/v2/ns/client/publish/list", {"clientId": "nobody"}),
        get("/v2/ns/client/subscribe/list", {"clientId": "10.0.0.77:8080#true"}),
        get("/v2/ns/client/service/publisher/list", of("who")),
        get("/v2/ns/client/service/publisher/list", of("who", ip="10.0.0.77", port=8080)),
        get("/v2/ns/client/service/publisher/list", of("who", ip="10.0.0.78", port=8080)),
        get("/v2/ns/client/service/publisher/list", {}),
        get("/v2/ns/client/service/subscriber/list", of("who")),
        get("/v2/ns/client/distro", {"ip": "10.0.0.1", "port": 80}),
        delete(V1, at("who", ip="10.0.0.77")),
    ),
)


def _v3(name: str, root: str, port: str) -> tuple[Case, ...]:
    p: dict[str, Any] = {"port": port}
    service, one = f"{root}/ns/service", f"{root}/ns/instance"
    space = {"namespaceId": f"golden-{name}"}
    cluster = f"{service}/cluster" if port == "console" else f"{root}/ns/cluster"
    return (
        case(
            f"naming-{name}/lists",
            post(service, of(f"{name}-l0", **space), **p),
            post(V1, at(f"{name}-l1", clusterName="c1", metadata="a=1", **space)),
            post(V1, at(f"{name}-l1", 8081, enabled="false", **space)),
            post(V1, at(f"{name}-l2", groupName="G", healthy="false", **space)),
            *(
                get(f"{service}/list", {"pageNo": 1, "pageSize": 10, **space, **more}, **p)
                for more in (
                    {},
                    {"withInstances": "true", "serviceNameParam": f"{name}-l1"},
                    {"ignoreEmptyService": "true"},
                    {"hasIpCount": "true"},
                    {"serviceNameParam": f"{name}-l1"},
                    {"groupNameParam": "G"},
                    {"pageSize": 1, "pageNo": 9},
                    {"pageNo": 0},
                    {"pageNo": "x"},
                    {"namespaceId": "golden-nobody"},
                )
            ),
            get(f"{service}/list", space, **p),
            get(f"{service}/subscribers", of(f"{name}-l1", **space), **p),
            get(f"{service}/subscribers", of(f"{name}-l1", aggregation="false", pageNo=1, pageSize=5, **space), **p),
            get(f"{service}/subscribers", {}, **p),
            get(f"{service}/selector/types", {}, **p),
            *(
                get(f"{one}/list", {"pageNo": 1, "pageSize": 10, **space, **more}, **p)
                for more in (
                    of(f"{name}-l1"),
                    of(f"{name}-l1", clusterName="c1"),
                    of(f"{name}-l1", clusterName="c9"),
                    of(f"{name}-l1", healthyOnly="true"),
                    of(f"{name}-l1", groupName="other"),
                    of(f"{name}-nobody"),
                    {},
                )
            ),
            delete(service, of(f"{name}-l0", **space), **p),
            delete(V1, at(f"{name}-l1", clusterName="c1", **space)),
            delete(V1, at(f"{name}-l1", 8081, **space)),
            delete(V1, at(f"{name}-l2", groupName="G", **space)),
            on_2=False,
        ),
        case(
            f"naming-{name}/update",
            put(one, at(f"{name}-nobody"), **p),
            post(V1, at(f"{name}-u", metadata="a=1")),
            put(one, at(f"{name}-u", weight=5, metadata="b=2", enabled="false"), **p),
            get(V1, at(f"{name}-u")),
            put(one, at(f"{name}-u", weight=-1), **p),
            put(one, of(f"{name}-u"), **p),
            delete(V1, at(f"{name}-u")),
            on_2=False,
        ),
        case(
            f"naming-{name}/cluster",
            post(V1, at(f"{name}-c", ephemeral="false")),
            put(
                cluster,
                of(
                    f"{name}-c",
                    clusterName="DEFAULT",
                    checkPort=81,
                    useInstancePort4Check="true",
                    healthChecker=json.dumps({"type": "NONE"}),
                    metadata="a=1",
                ),
                **p,
            ),
            get(service, of(f"{name}-c"), **p),
            put(
                cluster,
                of(
                    f"{name}-c",
                    clusterName="DEFAULT",
                    checkPort=81,
                    useInstancePort4Check="true",
                    healthChecker="nonsense",
                ),
                **p,
            ),
            put(cluster, of(f"{name}-c", clusterName="DEFAULT"), **p),
            put(
                cluster,
                of(
                    f"{name}-nobody",
                    clusterName="DEFAULT",
                    checkPort=81,
                    useInstancePort4Check="true",
                    healthChecker=json.dumps({"type": "NONE"}),
                ),
                **p,
            ),
            put("/v3/admin/ns/health/instance", at(f"{name}-c", healthy="false")),
            get(V1, at(f"{name}-c")),
            put("/v3/admin/ns/health/instance", at(f"{name}-c")),
            put("/v3/admin/ns/health/instance", at(f"{name}-c", 9999, healthy="false")),
            put("/v3/admin/ns/health/instance", at(f"{name}-nobody", healthy="false")),
            delete(V1, at(f"{name}-c", ephemeral="false")),
            delete(service, of(f"{name}-c"), **p),
            on_2=False,
        ),
    )


_V3_CASES = (
    case(
        "naming-admin/instances",
        post(ADMIN, at("admin-i", clusterName="c1", weight=2.5, metadata=json.dumps({"zone": "a"}))),
        post(ADMIN, at("admin-i", 8081, healthy="false")),
        get(ADMIN, at("admin-i", clusterName="c1")),
        get(ADMIN, at("admin-i")),
        get(ADMIN, at("admin-i", 9999)),
        get(ADMIN, at("nobody")),
        get(ADMIN, of("admin-i")),
        put(f"{ADMIN}/partial", at("admin-i", clusterName="c1", weight=7)),
        get(ADMIN, at("admin-i", clusterName="c1")),
        put(f"{ADMIN}/partial", at("admin-i", 9999, weight=7)),
        put(f"{ADMIN}/metadata/batch", of("admin-i", metadata=json.dumps({"x": "1"}), consistencyType="ephemeral")),
        put(f"{ADMIN}/metadata/batch", of("admin-i", metadata=json.dumps({"x": "1"}))),
        delete(f"{ADMIN}/metadata/batch", of("admin-i", metadata=json.dumps({"x": ""}), consistencyType="ephemeral")),
        put(f"{ADMIN}/metadata/batch", of("admin-i")),
        delete(ADMIN, at("admin-i", clusterName="c1")),
        delete(ADMIN, at("admin-i", 8081)),
        delete(ADMIN, at("admin-i", 8081)),
        on_2=False,
    ),
    case(
        "naming-admin/register-refusals",
        *(post(ADMIN, bad) for bad in BAD_INSTANCES),
        delete(ADMIN, at("bad", 80)),
        on_2=False,
    ),
    case("naming-admin/deregister-refusals", *(delete(ADMIN, bad) for bad in BAD_INSTANCES[:8]), on_2=False),
    case(
        "naming-admin/persistent",
        post(ADMIN, at("admin-p", ephemeral="false")),
        post(ADMIN, at("admin-p", 8081)),
        get(ADMIN, at("admin-p")),
        delete(ADMIN, at("admin-p", ephemeral="false")),
        delete(SERVICE3, of("admin-p")),
        on_2=False,
    ),
    case(
        "naming-open/instances",
        get(f"{OPEN}/list", of("open")),
        post(OPEN, at("open", heartBeat="true")),
        post(OPEN, at("open", weight=2, metadata="a=1")),
        post(OPEN, at("open", heartBeat="true")),
        post(OPEN, at("open", 8081, enabled="false")),
        post(OPEN, at("open", 8082, healthy="false", clusterName="c2")),
        get(f"{OPEN}/list", of("open")),
        get(f"{OPEN}/list", of("open", clusterName="c2")),
        get(f"{OPEN}/list", of("open", healthyOnly="true")),
        get(f"{OPEN}/list", of("open", groupName="other")),
        get(f"{OPEN}/list", {}),
        get(OPEN, at("open")),
        put(OPEN, at("open")),
        delete(OPEN, at("open")),
        delete(OPEN, at("open", 8081)),
        delete(OPEN, at("open", 8082, clusterName="c2")),
        delete(OPEN, of("open")),
        on_2=False,
    ),
    case(
        "naming-open/register-refusals",
        *(post(OPEN, bad) for bad in BAD_INSTANCES),
        delete(OPEN, at("bad", 80)),
        on_2=False,
    ),
    case(
        "naming-admin/operator",
        get("/v3/admin/ns/ops/metrics", {}),
        get("/v3/admin/ns/ops/metrics", {"onlyStatus": "false"}),
        get("/v3/admin/ns/ops/switches", {}),
        get("/v3/admin/ns/health/checkers", {}),
        get("/v3/admin/ns/client/distro", {"ip": "10.0.0.1", "port": 80}),
        get("/v3/admin/ns/client/distro", {}),
        on_2=False,
    ),
    case(
        "naming-admin/clients",
        post(V1, at("who3", ip="10.0.0.78")),
        get("/v3/admin/ns/client", {"clientId": "10.0.0.78:8080#true"}),
        get("/v3/admin/ns/client", {"clientId": "nobody"}),
        get("/v3/admin/ns/client", {}),
        get("/v3/admin/ns/client/publish/list", {"clientId": "10.0.0.78:8080#true"}),
        get("/v3/admin/ns/client/publish/list", {"clientId": "nobody"}),
        get("/v3/admin/ns/client/subscribe/list", {"clientId": "10.0.0.78:8080#true"}),
        get("/v3/admin/ns/client/service/publisher/list", of("who3")),
        get("/v3/admin/ns/client/service/publisher/list", of("who3", ip="10.0.0.79", port=8080)),
        get("/v3/admin/ns/client/service/publisher/list", {}),
        get("/v3/admin/ns/client/service/subscriber/list", of("who3")),
        delete(V1, at("who3", ip="10.0.0.78")),
        on_2=False,
    ),
)

CASES = (
    *_instances("v1", V1, "naming-v1", "clusters"),
    *_instances("v2", V2, "naming-v2", "clusterName"),
    *_services("v1", SERVICE1, "naming-v1/service"),
    *_services("v2", SERVICE2, "naming-v2/service"),
    *_services("v3", SERVICE3, "naming-admin/service", on_2=False),
    *_services("vc", "/v3/console/ns/service", "naming-console/service", "console", on_2=False),
    *_LISTS,
    *_v3("admin", "/v3/admin", "main"),
    *_v3("console", "/v3/console", "console"),
    *_V3_CASES,
    case(
        "naming-v1/as-apisix-asks",
        post(V1, at("apisix", weight=3, metadata=json.dumps({"gRPC_port": "9090"}))),
        get(
            f"{V1}/list",
            {
                "healthyOnly": "true",
                "serviceName": "golden-apisix",
                "namespaceId": "public",
                "groupName": "DEFAULT_GROUP",
            },
            headers={"Accept": "application/json"},
        ),
        ask("GET", f"{V1}/list", of("nobody"), headers={"Accept": "application/json"}),
        delete(V1, at("apisix")),
    ),
)
