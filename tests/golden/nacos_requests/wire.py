"""What is no single call's: unknown paths, methods, HEAD and OPTIONS, content types, odd requests."""

from __future__ import annotations

from nacos_requests.steps import ask, case, delete, get, post

CONFIG, LIST = "/v1/cs/configs", "/v1/ns/instance/list"
KEY = {"dataId": "golden.wire", "group": "G"}
#: One path of each controller and methods that it doesn't have.
WRONG = (
    ("PUT", CONFIG),
    ("PATCH", CONFIG),
    ("POST", LIST),
    ("DELETE", LIST),
    ("GET", "/v1/ns/instance/beat"),
    ("GET", "/v1/auth/login"),
    ("POST", "/v1/cs/history"),
    ("PATCH", "/v1/ns/service"),
    ("POST", "/v1/ns/operator/metrics"),
    ("PATCH", "/v1/console/namespaces"),
    ("PUT", "/v2/cs/config"),
    ("POST", "/v2/ns/instance/list"),
    ("PATCH", "/v2/console/namespace"),
    ("POST", "/v1/core/cluster/self"),
)
WRONG_3 = (
    ("PUT", "/v3/client/cs/config"),
    ("POST", "/v3/client/ns/instance/list"),
    ("PUT", "/v3/admin/cs/config"),
    ("PATCH", "/v3/admin/ns/service"),
    ("POST", "/v3/admin/core/state"),
    ("GET", "/v3/auth/user/login"),
)
NOWHERE = (
    "/v1/nowhere",
    "/v1/cs/nowhere",
    "/v1/ns/nowhere",
    "/v2/nowhere",
    "/v3/nowhere",
    "/v3/admin/cs/nowhere",
    "/nowhere",
)

CASES = (
    case("wire/wrong-methods", *(ask(method, path) for method, path in WRONG)),
    case("wire/wrong-methods-v3", *(ask(method, path) for method, path in WRONG_3), on_2=False),
    case(
        "wire/unknown-paths",
        *(ask(method, path) for path in NOWHERE for method in ("GET", "POST")),
        get("/nowhere", port="root"),
        get("/v1/cs/configs", KEY, port="root"),
        get("/v1/cs/configs/", KEY),
        get("/V1/CS/configs", KEY),
        get("//v1/cs/configs", KEY),
        get("/v1/cs/../cs/configs", KEY),
        get("/v1/cs/configs;a=b", KEY),
    ),
    case(
        "wire/head",
        post(CONFIG, {**KEY, "content": "four"}),
        ask("HEAD", CONFIG, KEY),
        ask("HEAD", CONFIG, {**KEY, "group": "other"}),
        ask("HEAD", LIST, {"serviceName": "golden-nobody"}),
        ask("HEAD", "/v1/nowhere"),
        ask("HEAD", "/v1/console/health/liveness"),
        delete(CONFIG, KEY),
    ),
    case(
        "wire/options",
        ask("OPTIONS", CONFIG),
        ask("OPTIONS", LIST),
        ask("OPTIONS", "/v1/nowhere"),
        ask(
            "OPTIONS",
            CONFIG,
            headers={
                "Origin": "http://golden.test",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "x-a",
            },
        ),
        get(CONFIG, KEY, headers={"Origin": "http://golden.test"}),
        get(LIST, {"serviceName": "golden-nobody"}, headers={"Origin": "http://golden.test"}),
    ),
    case("wire/options-v3", ask("OPTIONS", "/v3/client/cs/config"), ask("OPTIONS", "/v3/admin/cs/config"), on_2=False),
    case(
        "wire/accept",
        *(
            get(path, query, headers={"Accept": accept})
            for path, query in (
                (LIST, {"serviceName": "golden-nobody"}),
                ("/v1/console/health/liveness", {}),
                ("/v1/ns/operator/metrics", {}),
                ("/v1/nowhere", {}),
            )
            for accept in ("application/json", "text/html", "application/xml", "text/plain;q=0.5, */*", "nonsense")
        ),
    ),
    case(
        "wire/odd-queries",
        get(LIST, {}, headers={"X": "1"}),
        ask("GET", LIST + "?serviceName=golden-nobody&serviceName=golden-second"),
        ask("GET", LIST + "?serviceName"),
        ask("GET", LIST + "?serviceName=golden%2Dnobody&&=&a"),
        ask("GET", LIST + "?serviceName=golden+nobody"),
        ask("GET", LIST + "?serviceName=%ff%fe"),
        ask("GET", LIST + "?serviceName=%zz"),
        ask("GET", LIST + "?serviceName=golden-nobody;healthyOnly=true"),
    ),
    case(
        "wire/bodies",
        ask("POST", "/v1/ns/instance", body="serviceName=golden-body&ip=10.0.0.1&port=80"),
        ask("POST", "/v1/ns/instance", body="{", headers={"Content-Type": "application/json"}),
        ask(
            "POST",
            "/v1/ns/instance",
            body="serviceName=golden-body&ip=10.0.0.1&port=80",
            headers={"Content-Type": "text/plain"},
        ),
        ask("PUT", "/v1/ns/instance", form={"serviceName": "golden-body", "ip": "10.0.0.1", "port": 80}),
        ask("DELETE", "/v1/ns/instance", form={"serviceName": "golden-body", "ip": "10.0.0.1", "port": 80}),
        ask("PUT", "/v1/ns/instance/beat", form={"serviceName": "golden-body", "ip": "10.0.0.1", "port": 80}),
        ask("POST", "/v2/ns/instance", json_body={"serviceName": "golden-body", "ip": "10.0.0.1", "port": 80}),
        delete("/v1/ns/instance", {"serviceName": "golden-body", "ip": "10.0.0.1", "port": 80}),
    ),
)
