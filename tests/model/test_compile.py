"""What a platform becomes: APISIX resources and Nacos records."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SpecError
from harness.model import compile_platform

SMALL = Path(__file__).with_name("small.yaml").read_text()


def gateway_of(load, section: str, rest: str = ""):
    text = f"name: shop\nservices:\n  orders:\n    image: x\n    gateway: {section}\n{rest}"
    return compile_platform(load(text))


def test_small_platform(load):
    compiled = compile_platform(load(SMALL))
    assert [(found.kind, found.id) for found in compiled.resources] == [
        ("upstreams", "orders"),
        ("services", "orders"),
        ("routes", "orders"),
    ]
    assert compiled.of("upstreams")["orders"].body == {
        "name": "orders",
        "type": "roundrobin",
        "service_name": "orders",
        "discovery_type": "nacos",
        "discovery_args": {"namespace_id": "public", "group_name": "DEFAULT_GROUP"},
    }
    assert compiled.of("services")["orders"].body == {"name": "orders", "upstream_id": "orders", "plugins": {}}
    assert compiled.of("routes")["orders"].body == {
        "name": "orders",
        "uris": ["/orders", "/orders/*"],
        "plugins": {"proxy-rewrite": {"regex_uri": ["^/orders/?(.*)$", "/$1"]}},
        "service_id": "orders",
    }
    assert (compiled.namespaces, compiled.configs) == ((), ())


def test_compiling_twice_gives_the_same(load):
    platform = load(SMALL)
    assert compile_platform(platform) == compile_platform(platform)


def test_what_is_referred_to_comes_first(load):
    consumers = "security: {consumers: {web: {api_key: {key: k-1}}}, waf: {blocked_uris: ['x']}}\n"
    compiled = compile_platform(load(SMALL + consumers + "global_rules: {prometheus: {}}\n"))
    kinds = [found.kind for found in compiled.resources]
    assert kinds == ["upstreams", "services", "plugin_configs", "consumers", "global_rules", "routes"]


# --- upstreams


def test_addresses_of_a_running_service(load):
    platform = load(SMALL.replace("nacos_service: orders", "upstream_url: 'http://${service:orders}'"))
    body = compile_platform(platform, {"orders": ["127.0.0.1:1234", "127.0.0.1:1235"]}).of("upstreams")["orders"].body
    assert body["scheme"] == "http"
    assert body["nodes"] == [
        {"host": "127.0.0.1", "port": 1234, "weight": 1},
        {"host": "127.0.0.1", "port": 1235, "weight": 1},
    ]


def test_without_addresses_a_service_is_its_name_in_a_container_network(load):
    platform = load(SMALL.replace("nacos_service: orders", "upstream_url: 'http://${service:orders}'"))
    assert compile_platform(platform).of("upstreams")["orders"].body["nodes"] == [
        {"host": "orders", "port": 8080, "weight": 1}
    ]


def test_an_address_that_the_engine_does_not_know(load):
    platform = load(SMALL.replace("nacos_service: orders", "upstream_url: 'http://${service:orders}'"))
    with pytest.raises(SpecError, match="no address of 'orders' is known"):
        compile_platform(platform, {"pay": ["h:1"]})


def test_several_urls(load):
    compiled = gateway_of(load, "{route_prefix: /a, upstream_url: ['https://a.example', 'https://b.example:8443']}")
    body = compiled.of("upstreams")["orders"].body
    assert body["scheme"] == "https"
    assert [(node["host"], node["port"]) for node in body["nodes"]] == [("a.example", 443), ("b.example", 8443)]


def test_an_upstream_has_one_scheme(load):
    with pytest.raises(SpecError, match="one upstream has one scheme, not http and https"):
        gateway_of(load, "{route_prefix: /a, upstream_url: ['https://a.example', 'http://b.example']}")


def test_timeouts_retries_and_options_of_apisix(load):
    section = "{route_prefix: /a, nacos_service: orders, timeouts: {read: 5}, retries: 2, retry_timeout: 1.5, "
    options = "upstream: {type: chash, hash_on: header, key: X-Tenant, pass_host: node}}"
    body = gateway_of(load, section + options).of("upstreams")["orders"].body
    assert body["timeout"] == {"connect": 60, "send": 60, "read": 5}
    assert (body["retries"], body["retry_timeout"]) == (2, 1.5)
    assert (body["type"], body["hash_on"], body["pass_host"]) == ("chash", "header", "node")


# --- routes


AUTH = "security: {consumers: {web: {jwt: {secret: s-1}, api_key: {key: k-1}}}}\n"


def test_public_endpoints_are_routes_without_credentials(load):
    section = "{route_prefix: /a, nacos_service: orders, auth: jwt, public: [/healthz, /static/*, 'POST,PUT /login']}"
    routes = gateway_of(load, section, AUTH).of("routes")
    assert list(routes) == ["orders", "orders-public", "orders-public-post-put"]
    assert "jwt-auth" in routes["orders"].body["plugins"]
    public, login = routes["orders-public"].body, routes["orders-public-post-put"].body
    assert (public["uris"], public["priority"]) == (["/a/healthz", "/a/static/*"], 10)
    assert (login["uris"], login["methods"]) == (["/a/login"], ["POST", "PUT"])
    assert all(list(body["plugins"]) == ["proxy-rewrite"] for body in (public, login))


def test_without_auth_everything_is_public_already(load):
    section = "{route_prefix: /a, nacos_service: orders, public: [/healthz]}"
    assert list(gateway_of(load, section).of("routes")) == ["orders"]


@pytest.mark.parametrize(
    ("auth", "plugins"),
    [
        ("jwt", {"jwt-auth": {}}),
        ("api-key", {"key-auth": {}}),
        ("none", {}),
        (
            "{method: api-key, header: X-Key, hide_credentials: true}",
            {"key-auth": {"header": "X-Key", "hide_credentials": True}},
        ),
        ("[jwt, api-key]", {"multi-auth": {"auth_plugins": [{"jwt-auth": {}}, {"key-auth": {}}]}}),
    ],
)
def test_auth(load, auth, plugins):
    section = f"{{route_prefix: /a, strip_prefix: false, nacos_service: orders, auth: {auth}}}"
    assert gateway_of(load, section, AUTH).of("routes")["orders"].body.get("plugins", {}) == plugins


def test_only_named_consumers(load):
    section = "{route_prefix: /a, nacos_service: orders, auth: jwt, consumers: [web]}"
    plugins = gateway_of(load, section, AUTH).of("routes")["orders"].body["plugins"]
    assert plugins["consumer-restriction"] == {"whitelist": ["web"]}


def test_hosts_and_virtual_hosts(load):
    hosts = "hosts: [api.example], virtual_hosts: [own.example]"
    section = f"{{route_prefix: /a.b, {hosts}, nacos_service: orders, websocket: true}}"
    routes = gateway_of(load, section).of("routes")
    assert routes["orders"].body["hosts"] == ["api.example"]
    assert routes["orders"].body["plugins"]["proxy-rewrite"]["regex_uri"][0] == r"^/a\.b/?(.*)$"
    own = routes["orders-host"].body
    assert (own["uris"], own["hosts"], own["enable_websocket"]) == (["/*"], ["own.example"], True)
    assert "plugins" not in own


def test_a_virtual_host_alone(load):
    assert list(gateway_of(load, "{virtual_hosts: [a.example], nacos_service: orders}").of("routes")) == ["orders"]


def test_service_without_gateway_is_not_routed(load):
    assert compile_platform(load("name: shop\nservices: {a: {image: x}}\n")).resources == ()


# --- limits, WAF, consumers


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("consumer", {"key": "consumer_name"}),
        ("ip", {"key": "remote_addr"}),
        ("service", {"key_type": "constant", "key": "orders"}),
        ("http_x_tenant", {"key": "http_x_tenant"}),
    ],
)
def test_rate_limit(load, by, key):
    section = (
        f"{{route_prefix: /a, nacos_service: orders, rate_limit: {{count: 5, window: 60, by: {by}, message: slow}}}}"
    )
    assert gateway_of(load, section).of("services")["orders"].body["plugins"]["limit-count"] == {
        "count": 5, "time_window": 60, "policy": "local", "rejected_code": 429, "rejected_msg": "slow", **key,
    }  # fmt: skip


def test_waf(load):
    waf = "{blocked_uris: [x], ignore_case: true, blocked_user_agents: [bot], allowed_ips: [10.0.0.0/8], message: out}"
    section = "{route_prefix: /a, nacos_service: orders}"
    compiled = gateway_of(load, section, f"security: {{waf: {waf}}}\n")
    assert compiled.of("plugin_configs")["waf"].body["plugins"] == {
        "uri-blocker": {"block_rules": ["x"], "case_insensitive": True, "rejected_code": 403, "rejected_msg": "out"},
        "ua-restriction": {"denylist": ["bot"], "bypass_missing": True, "message": "out"},
        "ip-restriction": {"whitelist": ["10.0.0.0/8"], "message": "out"},
    }
    assert compiled.of("routes")["orders"].body["plugin_config_id"] == "waf"


def test_a_service_may_go_without_the_waf(load):
    section = "{route_prefix: /a, nacos_service: orders, waf: false}"
    compiled = gateway_of(load, section, "security: {waf: {blocked_uris: [x]}}\n")
    assert "plugin_config_id" not in compiled.of("routes")["orders"].body


def test_consumer(load):
    web = "{description: the web, labels: {team: a}, jwt: {key: u, secret: s-1}, api_key: {key: k-1}, "
    rest = f"security: {{consumers: {{web: {web}rate_limit: {{count: 1, window: 2}}, plugins: {{cors: {{}}}}}}}}}}\n"
    body = compile_platform(load(SMALL + rest)).of("consumers")["web"].body
    assert (body["username"], body["desc"], body["labels"]) == ("web", "the web", {"team": "a"})
    assert body["plugins"]["jwt-auth"] == {"key": "u", "algorithm": "HS256", "secret": "s-1"}
    assert body["plugins"]["key-auth"] == {"key": "k-1"}
    assert list(body["plugins"]) == ["jwt-auth", "key-auth", "limit-count", "cors"]


def test_the_gateway_never_gets_a_private_key(load):
    pair = "{algorithm: RS256, public_key: public, private_key: private}"
    rest = f"security: {{consumers: {{web: {{jwt: {pair}}}}}}}\n"
    plugin = compile_platform(load(SMALL + rest)).of("consumers")["web"].body["plugins"]["jwt-auth"]
    assert plugin == {"key": "web", "algorithm": "RS256", "public_key": "public"}


def test_resources_as_they_are(load):
    rest = "apisix: {routes: {own: {uri: /own, service_id: orders}}, consumers: {bob: {}}}\n"
    compiled = compile_platform(load(SMALL + rest))
    assert compiled.of("routes")["own"].body == {"uri": "/own", "service_id": "orders"}
    assert compiled.of("consumers")["bob"].body == {"username": "bob"}


def test_an_id_that_is_taken(load):
    with pytest.raises(SpecError, match=r"apisix\.routes\.orders: the harness makes a resource with this id itself"):
        compile_platform(load(SMALL + "apisix: {routes: {orders: {uri: /own}}}\n"))


# --- Nacos


def test_namespaces_and_configurations(load):
    nacos = "nacos: {namespace: 'shop-${DEPLOY_ENV}', group: G, configs: {common.yaml: {content: {a: 1}}}}\n"
    own = SMALL.replace("    gateway:", "    nacos: {group: H}\n    config: {content: {b: 2}}\n    gateway:")
    compiled = compile_platform(load(own + nacos))
    assert [found.id for found in compiled.namespaces] == ["shop-dev"]
    assert [(c.namespace, c.group, c.data_id, c.type, c.content) for c in compiled.configs] == [
        ("shop-dev", "G", "common.yaml", "yaml", "a: 1\n"),
        ("shop-dev", "H", "orders.yaml", "yaml", "b: 2\n"),
    ]
    upstream = compiled.of("upstreams")["orders"].body
    assert upstream["discovery_args"] == {"namespace_id": "shop-dev", "group_name": "H"}
