"""The gRPC side, with bare messages: set-up, naming, configuration, pushes, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

from nacos_requests.steps import Case, Step, bare_rpc, case, closed, delete, get, post, pushed, rpc


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def at(name: str, port: int = 80, **more: Any) -> dict[str, Any]:
    return {
        "ip": "10.0.0.1",
        "port": port,
        "weight": 1.0,
        "healthy": True,
        "enabled": True,
        "ephemeral": True,
        "clusterName": "DEFAULT",
        "serviceName": f"golden-{name}",
        "metadata": {},
        **more,
    }


def service(name: str, **more: Any) -> dict[str, Any]:
    return {"namespace": "public", "serviceName": f"golden-{name}", "groupName": "DEFAULT_GROUP", **more}


def register(name: str, port: int = 80, on: str = "a", **more: Any) -> Step:
    return rpc("InstanceRequest", service(name, type="registerInstance", instance=at(name, port, **more)), on=on)


def deregister(name: str, port: int = 80, on: str = "a") -> Step:
    return rpc("InstanceRequest", service(name, type="deregisterInstance", instance=at(name, port)), on=on)


def query(name: str, **more: Any) -> Step:
    return rpc("ServiceQueryRequest", service(name, cluster="", healthyOnly=False, udpPort=0, **more), on="peer")


def config(name: str, **more: Any) -> dict[str, Any]:
    return {"dataId": f"golden.{name}", "group": "G", "tenant": "", **more}


def listen(name: str, digest: str, on: str = "a", flag: bool = True, **more: Any) -> Step:
    return rpc(
        "ConfigBatchListenRequest", {"listen": flag, "configListenContexts": [config(name, md5=digest, **more)]}, on=on
    )


def publish(name: str, content: str, on: str = "peer", **more: Any) -> Step:
    return rpc("ConfigPublishRequest", config(name, content=content, **more), on=on)


_BAD: tuple[Any, ...] = ("", "nonsense", "[]", "{", '{"serviceName": {}}', "null", '{"unknown": 1}')

CASES: tuple[Case, ...] = (
    case(
        "grpc/connection",
        bare_rpc("ServerCheckRequest"),
        bare_rpc("HealthCheckRequest"),
        bare_rpc("ConfigQueryRequest", config("grpc")),
        bare_rpc("NonsenseRequest"),
        bare_rpc(""),
        rpc("HealthCheckRequest"),
        rpc("ServerCheckRequest"),
        rpc("NonsenseRequest"),
        rpc("ConnectionSetupRequest"),
        *(rpc("ServiceQueryRequest", {"text": bad}) for bad in _BAD),
        *(rpc("ConfigQueryRequest", {"text": bad}) for bad in _BAD),
    ),
    case(
        "grpc/register",
        query("g-r"),
        register("g-r", metadata={"zone": "a"}),
        register("g-r", metadata={"zone": "a"}),
        query("g-r"),
        get("/v1/ns/instance/list", {"serviceName": "golden-g-r"}),
        register("g-r", 81),
        query("g-r"),
        register("g-r", 82, on="b", enabled=False),
        register("g-r", 83, on="c", healthy=False, clusterName="c1"),
        query("g-r"),
        rpc("ServiceQueryRequest", service("g-r", cluster="c1", healthyOnly=False), on="peer"),
        rpc("ServiceQueryRequest", service("g-r", cluster="", healthyOnly=True), on="peer"),
        rpc("ServiceQueryRequest", service("g-r", cluster="c9"), on="peer"),
        deregister("g-r", 9999),
        query("g-r"),
        deregister("g-r"),
        closed("b"),
        query("g-r"),
        deregister("g-r", on="c"),
        query("g-r"),
    ),
    case(
        "grpc/register-refusals",
        rpc("InstanceRequest", service("g-bad", type="nonsense", instance=at("g-bad"))),
        rpc("InstanceRequest", service("g-bad", instance=at("g-bad"))),
        rpc("InstanceRequest", service("g-bad", type="registerInstance")),
        rpc("InstanceRequest", {"type": "registerInstance", "instance": at("g-bad")}),
        *(
            register("g-bad", **bad)
            for bad in (
                {"weight": -1},
                {"weight": 10001},
                {"ip": ""},
                {"ip": "a b"},
                {"port": -1},
                {"port": 70000},
                {"clusterName": "a_b"},
                {"clusterName": "a b"},
                {"clusterName": ""},
                {"metadata": {"preserved.heart.beat.timeout": "1000"}},
                {"metadata": {"x": "y" * 1100}},
                {"ephemeral": False},
            )
        ),
        rpc(
            "InstanceRequest", {**service("g-bad", type="registerInstance", instance=at("g-bad")), "serviceName": "a b"}
        ),
        rpc(
            "InstanceRequest",
            {**service("g-bad", type="registerInstance", instance=at("g-bad")), "serviceName": "x" * 600},
        ),
        rpc("InstanceRequest", {**service("g-bad", type="registerInstance", instance=at("g-bad")), "groupName": "G/G"}),
        rpc("InstanceRequest", {**service("g-bad", type="registerInstance", instance=at("g-bad")), "namespace": "a b"}),
        deregister("g-nobody"),
        deregister("g-bad"),
    ),
    case(
        "grpc/batch",
        rpc(
            "BatchInstanceRequest",
            service("g-b", type="batchRegisterInstance", instances=[at("g-b", 80), at("g-b", 81)]),
        ),
        query("g-b"),
        rpc("BatchInstanceRequest", service("g-b", type="batchRegisterInstance", instances=[at("g-b", 81)])),
        query("g-b"),
        register("g-b", 90),
        query("g-b"),
        rpc("BatchInstanceRequest", service("g-b", type="batchRegisterInstance", instances=[])),
        query("g-b"),
        rpc("BatchInstanceRequest", service("g-b", type="nonsense", instances=[at("g-b", 81)])),
        rpc("BatchInstanceRequest", service("g-b", type="batchRegisterInstance")),
        rpc("BatchInstanceRequest", service("g-b", type="batchRegisterInstance", instances=[at("g-b", 81, weight=-1)])),
        closed("a"),
        query("g-b"),
    ),
    case(
        "grpc/persistent",
        rpc("PersistentInstanceRequest", service("g-p", type="registerInstance", instance=at("g-p", ephemeral=False))),
        query("g-p"),
        register("g-p"),
        closed("a"),
        query("g-p"),
        rpc("PersistentInstanceRequest", service("g-p", type="nonsense", instance=at("g-p", ephemeral=False)), on="b"),
        rpc(
            "PersistentInstanceRequest",
            service("g-p", type="deregisterInstance", instance=at("g-p", ephemeral=False)),
            on="b",
        ),
        query("g-p"),
        delete("/v1/ns/service", {"serviceName": "golden-g-p"}),
    ),
    case(
        "grpc/subscribe",
        rpc("SubscribeServiceRequest", service("g-s", clusters="", subscribe=True)),
        register("g-s", on="b"),
        pushed("NotifySubscriberRequest"),
        get("/v1/ns/service/subscribers", {"serviceName": "golden-g-s"}),
        register("g-s", 81, on="c"),
        pushed("NotifySubscriberRequest"),
        closed("c"),
        pushed("NotifySubscriberRequest"),
        rpc("SubscribeServiceRequest", service("g-s", clusters="", subscribe=False)),
        get("/v1/ns/service/subscribers", {"serviceName": "golden-g-s"}),
        deregister("g-s", on="b"),
    ),
    case(
        "grpc/service-list",
        register("g-l1", on="a"),
        rpc(
            "ServiceListRequest",
            {"namespace": "golden-nobody", "groupName": "DEFAULT_GROUP", "pageNo": 1, "pageSize": 10},
        ),
        rpc(
            "InstanceRequest",
            {**service("g-l1", type="registerInstance", instance=at("g-l1")), "namespace": "golden-l"},
        ),
        rpc(
            "InstanceRequest",
            {**service("g-l2", type="registerInstance", instance=at("g-l2")), "namespace": "golden-l"},
        ),
        rpc("ServiceListRequest", {"namespace": "golden-l", "groupName": "DEFAULT_GROUP", "pageNo": 1, "pageSize": 10}),
        rpc("ServiceListRequest", {"namespace": "golden-l", "groupName": "DEFAULT_GROUP", "pageNo": 9, "pageSize": 10}),
        rpc("ServiceListRequest", {"namespace": "golden-l", "groupName": "other", "pageNo": 1, "pageSize": 10}),
        rpc("ServiceListRequest", {"namespace": "golden-l"}),
        rpc("ServiceListRequest", {"namespace": "golden-l", "groupName": "DEFAULT_GROUP", "pageNo": 0, "pageSize": 0}),
    ),
    case(
        "grpc/config",
        rpc("ConfigQueryRequest", config("g-c")),
        publish(
            "g-c",
            "one",
            additionMap={"type": "yaml", "appName": "app", "config_tags": "a", "desc": "d", "src_user": "me"},
        ),
        rpc("ConfigQueryRequest", config("g-c")),
        rpc("ConfigQueryRequest", config("g-c", tenant="public")),
        rpc("ConfigQueryRequest", config("g-c", tenant="golden-other")),
        get("/v1/cs/configs", {"dataId": "golden.g-c", "group": "G", "show": "all"}),
        publish("g-c", "two", casMd5=md5("nothing")),
        publish("g-c", "two", casMd5=md5("one")),
        publish("g-c", "blue", additionMap={"tag": "blue"}),
        rpc("ConfigQueryRequest", config("g-c", tag="blue")),
        rpc("ConfigQueryRequest", config("g-c", tag="red")),
        rpc("ConfigQueryRequest", config("g-c"), headers={"Vipserver-Tag": "blue"}),
        rpc("ConfigRemoveRequest", config("g-c", tag="blue")),
        publish("g-c", "beta", additionMap={"betaIps": "127.0.0.1"}),
        rpc("ConfigQueryRequest", config("g-c")),
        delete("/v1/cs/configs", {"dataId": "golden.g-c", "group": "G", "beta": "true"}),
        rpc("ConfigRemoveRequest", config("g-c")),
        rpc("ConfigQueryRequest", config("g-c")),
        rpc("ConfigRemoveRequest", config("g-c")),
        publish("cipher-g", "secret", additionMap={"encryptedDataKey": "the-key"}),
        rpc("ConfigQueryRequest", config("cipher-g")),
        rpc("ConfigRemoveRequest", config("cipher-g")),
    ),
    case(
        "grpc/config-refusals",
        *(
            step
            for bad in (
                {"dataId": ""},
                {"dataId": "a b"},
                {"dataId": "x" * 300},
                {"group": ""},
                {"group": "G/G"},
                {"tenant": "a b"},
                {"tenant": "x" * 200},
            )
            for step in (
                publish("g-bad", "c", **bad),
                rpc("ConfigQueryRequest", config("g-bad", **bad)),
                rpc("ConfigRemoveRequest", config("g-bad", **bad)),
            )
        ),
        publish("g-bad", ""),
        publish("g-bad", "  "),
        rpc("ConfigPublishRequest", config("g-bad")),
        publish("g-bad", "c", additionMap={"tag": "x" * 17}),
        publish("g-bad", "c", additionMap={"desc": "x" * 200}),
        publish("g-bad", "c", additionMap={"type": "nonsense"}),
        rpc("ConfigQueryRequest", config("g-bad")),
        rpc("ConfigRemoveRequest", config("g-bad")),
    ),
    case(
        "grpc/listen",
        listen("g-l", ""),
        publish("g-l", "one"),
        pushed("ConfigChangeNotifyRequest"),
        listen("g-l", ""),
        listen("g-l", md5("one")),
        get("/v1/cs/configs/listener", {"dataId": "golden.g-l", "group": "G"}),
        publish("g-l", "two"),
        pushed("ConfigChangeNotifyRequest"),
        listen("g-l", md5("one"), tenant="public"),
        publish("g-l", "three"),
        pushed("ConfigChangeNotifyRequest"),
        rpc("ConfigRemoveRequest", config("g-l"), on="peer"),
        pushed("ConfigChangeNotifyRequest"),
        listen("g-l", "", flag=False),
        rpc("ConfigBatchListenRequest", {"listen": True, "configListenContexts": []}),
        rpc("ConfigBatchListenRequest", {"listen": True}),
        rpc("ConfigBatchListenRequest", {}),
        listen("g-l", "", dataId="a b"),
    ),
    case(
        "grpc/clients-are-shown",
        register("g-shown", on="a"),
        rpc("SubscribeServiceRequest", service("g-shown", clusters="", subscribe=True), on="a"),
        get(
            "/v2/ns/client/service/publisher/list",
            {"serviceName": "golden-g-shown"},
            save={"client": "data.0.clientId"},
        ),
        get("/v2/ns/client", {"clientId": "{{client}}"}),
        get("/v2/ns/client/publish/list", {"clientId": "{{client}}"}),
        get("/v2/ns/client/subscribe/list", {"clientId": "{{client}}"}),
        get("/v2/ns/client/service/subscriber/list", {"serviceName": "golden-g-shown"}),
        get("/v3/admin/ns/client", {"clientId": "{{client}}"}),
        get("/v3/admin/ns/client/publish/list", {"clientId": "{{client}}"}),
        get("/v3/admin/ns/client/subscribe/list", {"clientId": "{{client}}"}),
        get("/v3/admin/ns/service/subscribers", {"serviceName": "golden-g-shown"}),
    ),
    case(
        "grpc/after-http",
        post("/v1/ns/instance", {"serviceName": "golden-g-h", "ip": "10.0.0.2", "port": 80}),
        query("g-h"),
        delete("/v1/ns/instance", {"serviceName": "golden-g-h", "ip": "10.0.0.2", "port": 80}),
    ),
)
