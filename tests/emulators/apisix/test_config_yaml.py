"""config.yaml key by key: what is honoured shows in the settings, what isn't and would matter is refused."""

from __future__ import annotations

import http.client
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from harness.emulators.apisix.config_yaml import from_config, load
from harness.emulators.apisix.proxy.listener import Patience
from harness.emulators.apisix.proxy.upstream import Keepalive
from harness.emulators.apisix.server import ApisixServer
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.emulators.apisix.wire_settings import Tls, Wire
from harness.errors import SpecError
from harness.ports import free_port

#: a key of APISIX 3.18's config.yaml.example → a value, and the settings it must give
HONOURED: dict[str, tuple[Any, dict[str, Any]]] = {
    "apisix.node_listen": (
        [9080, {"port": 9081}, {"ip": "127.0.0.2", "port": 9082}],
        {"http": ("0.0.0.0:9080", "0.0.0.0:9081", "127.0.0.2:9082")},
    ),
    "apisix.enable_admin": (False, {"admin": None}),
    "apisix.enable_control": (False, {"control": None}),
    "apisix.control.ip": ("127.0.0.9", {"control": "127.0.0.9:9090"}),
    "apisix.control.port": (9099, {"control": "127.0.0.1:9099"}),
    "apisix.status.ip": ("127.0.0.9", {"status": "127.0.0.9:7085"}),
    "apisix.status.port": (7086, {"status": "127.0.0.1:7086"}),
    "apisix.enable_http2": (False, {"enable_http2": False}),
    "apisix.enable_server_tokens": (False, {"server_tokens": False, "server": "APISIX"}),
    "apisix.show_upstream_status_in_response_header": (True, {"show_upstream_status": True}),
    "apisix.delete_uri_tail_slash": (True, {"delete_uri_tail_slash": True}),
    "apisix.match_uri_encoded_slash": (True, {"match_uri_encoded_slash": True}),
    "apisix.router.http": ("radixtree_uri", {"router": "radixtree_uri"}),
    "apisix.proxy_mode": ("http&stream", {"proxy_mode": "http&stream"}),
    "apisix.dns_resolver": (["127.0.0.1:53"], {"dns_servers": ("127.0.0.1:53",)}),
    "apisix.dns_resolver_valid": (5, {"dns_valid": 5.0}),
    "discovery.dns.servers": (["127.0.0.1"], {"discovery": {"dns": {"servers": ["127.0.0.1"]}}}),
    "discovery.dns.resolv_conf": ("/r", {"discovery": {"dns": {"resolv_conf": "/r"}}}),
    "discovery.dns.order": (["A"], {"discovery": {"dns": {"order": ["A"]}}}),
    "apisix.ssl.enable": (False, {"https": ()}),
    "apisix.ssl.listen": ([{"port": 9443}], {"https": ("0.0.0.0:9443",)}),
    "apisix.ssl.fallback_sni": ("a.test", {"fallback_sni": "a.test"}),
    "apisix.ssl.ssl_trusted_certificate": ("system,/ca.pem", {"trusted_certificates": ("system", "/ca.pem")}),
    "apisix.ssl.ssl_protocols": ("TLSv1.3", {"wire": Wire(tls=Tls(protocols=("TLSv1.3",)))}),
    "apisix.ssl.ssl_ciphers": ("HIGH", {"wire": Wire(tls=Tls(ciphers="HIGH"))}),
    "apisix.ssl.ssl_session_tickets": (True, {"wire": Wire(tls=Tls(session_tickets=True))}),
    "nginx_config.http.keepalive_timeout": ("5s", {"wire": Wire(Patience(keepalive_timeout=5))}),
    "nginx_config.http.client_header_timeout": ("5s", {"wire": Wire(Patience(client_header_timeout=5))}),
    "nginx_config.http.client_body_timeout": ("5s", {"wire": Wire(Patience(client_body_timeout=5))}),
    "nginx_config.http.client_max_body_size": ("1m", {"wire": Wire(max_body=1048576)}),
    "nginx_config.worker_shutdown_timeout": ("5s", {"wire": Wire(shutdown=5)}),
    "nginx_config.http.send_timeout": ("5s", {"wire": Wire(Patience(send_timeout=5))}),
    "nginx_config.http.upstream.keepalive": (5, {"wire": Wire(keepalive=Keepalive(size=5))}),
    "nginx_config.http.upstream.keepalive_requests": (5, {"wire": Wire(keepalive=Keepalive(requests=5))}),
    "nginx_config.http.upstream.keepalive_timeout": ("5s", {"wire": Wire(keepalive=Keepalive(idle_timeout=5))}),
    "apisix.data_encryption.enable_encrypt_fields": (False, {"encrypt_fields": False}),
    "apisix.data_encryption.keyring": ("0123456789abcdef", {"keyring": ("0123456789abcdef",)}),
    "apisix.disable_upstream_healthcheck": (True, {"disable_health_checks": True}),
    "apisix.trusted_addresses": (["10.0.0.0/8"], {"trusted_addresses": ("10.0.0.0/8",)}),
    "apisix.lru.secret.ttl": (7, {"secret_ttl": 7.0}),
    "apisix.lru.secret.neg_ttl": (8, {"secret_neg_ttl": 8.0}),
    "nginx_config.http.real_ip_header": ("X-Forwarded-For", {"real_ip_header": "X-Forwarded-For"}),
    "nginx_config.http.real_ip_from": (["10.0.0.1"], {"real_ip_from": ("10.0.0.1",)}),
    "discovery.nacos.host": (["http://n:8848"], {"discovery": {"nacos": {"host": ["http://n:8848"]}}}),
    "plugins": (["key-auth"], {"plugins": ("key-auth",)}),
    "stream_plugins": (["mqtt-proxy"], {"stream_plugins": ("mqtt-proxy",)}),
    "xrpc.protocols": ([{"name": "redis"}], {"xrpc_protocols": ("redis",)}),
    "plugin_attr.redirect.https_port": (8443, {"plugin_attr": {"redirect": {"https_port": 8443}}}),
    "plugin_attr.prometheus.export_addr.port": (9099, {"prometheus": "127.0.0.1:9099"}),
    "plugin_attr.prometheus.enable_export_server": (False, {"prometheus": None}),
    "deployment.role": ("data_plane", {"admin": None}),
    "deployment.role_traditional.config_provider": ("yaml", {"standalone": "api"}),
    "deployment.admin.admin_key_required": (False, {}),
    "deployment.admin.admin_key": (
        [{"name": "v", "key": "k", "role": "viewer"}],
        {"admin_keys": (AdminKey("v", "k", "viewer"),)},
    ),
    "deployment.admin.enable_admin_cors": (False, {}),
    "deployment.admin.allow_admin": (["10.0.0.0/8"], {}),
    "deployment.admin.admin_listen.ip": ("127.0.0.3", {"admin": "127.0.0.3:9180"}),
    "deployment.admin.admin_listen.port": (9181, {"admin": "0.0.0.0:9181"}),
    "deployment.admin.admin_api_version": ("default", {"admin_api_version": "v2"}),
    "deployment.etcd.host": (["http://e:2379"], {"etcd": ("http://e:2379",)}),
    "deployment.etcd.prefix": ("/other", {"etcd_prefix": "/other"}),
    "deployment.etcd.timeout": (3, {"etcd_timeout": 3.0}),
    "deployment.etcd.watch_timeout": (4, {"etcd_watch_timeout": 4.0}),
    "deployment.etcd.user": ("root", {"etcd_user": "root"}),
    "deployment.etcd.password": ("x", {}),
    "deployment.etcd.tls.cert": ("/c.pem", {"etcd_cert": "/c.pem"}),
    "deployment.etcd.tls.key": ("/k.pem", {"etcd_key": "/k.pem"}),
    "deployment.etcd.tls.verify": (False, {"etcd_verify": False}),
    "deployment.etcd.tls.sni": ("etcd.test", {"etcd_sni": "etcd.test"}),
}

#: key → (a value that changes nothing, one that can't be honoured)
REFUSED: dict[str, tuple[Any, Any]] = {
    "apisix.proxy_protocol": (None, {"listen_http_port": 9181}),
    "apisix.extra_lua_path": ("", "/x/?.lua"),
    "apisix.extra_lua_cpath": ("", "/x/?.so"),
    "apisix.lua_module_hook": (None, "my.hook"),
    "apisix.proxy_cache.cache_ttl": ("10s", "20s"),
    "apisix.proxy_cache.zones": ([{"name": "memory_cache"}], [{"name": "another"}]),
    "apisix.normalize_uri_like_servlet": (False, True),
    "apisix.router.ssl": ("radixtree_sni", "other"),
    "apisix.proxy_mode": ("http", "stream"),
    "apisix.stream_proxy": (None, {"tcp": [9100]}),
    "apisix.ssl.listen": ([{"port": 9443, "enable_http3": False}], [{"port": 9443, "enable_http3": True}]),
    "apisix.tracing": (False, True),
    "nginx_config.main_configuration_snippet": ("# a comment\n", "daemon on;"),
    "nginx_config.http_configuration_snippet": ("", "lua_package_path x;"),
    "nginx_config.http_server_configuration_snippet": ("", "x;"),
    "nginx_config.http_server_location_configuration_snippet": ("", "x;"),
    "nginx_config.http_admin_configuration_snippet": ("", "x;"),
    "nginx_config.http_end_configuration_snippet": ("", "x;"),
    "nginx_config.stream_configuration_snippet": ("", "x;"),
    "nginx_config.http.underscores_in_headers": ("on", "off"),
    "nginx_config.http.real_ip_recursive": ("off", "on"),
    "nginx_config.http.proxy_ssl_server_name": (True, False),
    "nginx_config.http.charset": ("utf-8", "latin-1"),
    "discovery.eureka.host": (None, ["http://127.0.0.1:8761"]),
    "discovery.consul.servers": (None, ["http://127.0.0.1:8500"]),
    "discovery.consul_kv.servers": (None, ["http://127.0.0.1:8500"]),
    "discovery.kubernetes.service": (None, {"host": "k"}),
    "graphql.max_size": (1048576, 100),
    "ext-plugin": (None, {"cmd": ["ls"]}),
    "wasm": (None, {"plugins": []}),
    "deployment.role": ("traditional", "other"),
    "deployment.role_traditional.config_provider": ("etcd", "xds"),
    "deployment.admin.https_admin": (False, True),
    "deployment.admin.admin_api_mtls.admin_ssl_cert": ("", "/c.pem"),
    "deployment.admin.admin_api_mtls.admin_ssl_cert_key": ("", "/k.pem"),
    "deployment.admin.admin_api_mtls.admin_ssl_ca_cert": ("", "/ca.pem"),
}

#: keys that any value will do for
NO_MATTER = [
    "apisix.enable_dev_mode",
    "apisix.enable_reuseport",
    "apisix.enable_ipv6",
    "apisix.max_post_args_readable_size",
    "apisix.resolver_timeout",
    "apisix.enable_resolv_search_opt",
    "apisix.disable_sync_configuration_during_start",
    "apisix.worker_startup_time_threshold",
    "apisix.lru.secret.count",
    "apisix.lru.secret.neg_count",
    "nginx_config.user",
    "nginx_config.error_log",
    "nginx_config.error_log_level",
    "nginx_config.worker_processes",
    "nginx_config.enable_cpu_affinity",
    "nginx_config.worker_rlimit_nofile",
    "nginx_config.max_pending_timers",
    "nginx_config.max_running_timers",
    "nginx_config.event.worker_connections",
    "nginx_config.envs",
    "nginx_config.meta.lua_shared_dict.prometheus-metrics",
    "nginx_config.stream.enable_access_log",
    "nginx_config.stream.lua_shared_dict.tars-stream",
    "nginx_config.stream.real_ip_from",
    "nginx_config.http.enable_access_log",
    "nginx_config.http.access_log",
    "nginx_config.http.access_log_buffer",
    "nginx_config.http.access_log_format",
    "nginx_config.http.access_log_format_escape",
    "nginx_config.http.custom_lua_shared_dict.ipc_shared_dict",
    "nginx_config.http.variables_hash_max_size",
    "nginx_config.http.lua_shared_dict.internal-status",
    "deployment.admin.enable_admin_ui",
    "deployment.etcd.resync_delay",
    "deployment.etcd.health_check_timeout",
    "deployment.etcd.startup_retry",
]


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize("key", HONOURED)
def test_what_is_honoured_shows(key: str, caplog: pytest.LogCaptureFixture) -> None:
    value, expected = HONOURED[key]
    settings = from_config(nested(key, value), Settings())
    assert {name: getattr(settings, name) for name in expected} == expected
    assert settings.config == nested(key, value)
    assert "nothing is known" not in caplog.text


@pytest.mark.parametrize("key", REFUSED)
def test_what_would_change_behaviour_is_refused(key: str) -> None:
    harmless, other = REFUSED[key]
    from_config(nested(key, harmless), Settings())
    with pytest.raises(SpecError):
        from_config(nested(key, other), Settings())


@pytest.mark.parametrize("key", NO_MATTER)
def test_what_is_of_no_matter_changes_nothing(key: str, caplog: pytest.LogCaptureFixture) -> None:
    config = nested(key, "any value")
    assert from_config(config, Settings()) == replace(from_config({}, Settings()), config=config)
    assert "nothing is known" not in caplog.text


def test_a_key_that_nobody_knows_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        from_config({"apisix": {"enable_magic": True}}, Settings())
    assert "nothing is known of apisix.enable_magic" in caplog.text


def test_plugins_of_the_list_that_are_missing_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        from_config({"plugins": ["key-auth", "dubbo-proxy"]}, Settings())
    assert "['dubbo-proxy']" in caplog.text


def test_variables_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("deployment:\n  etcd:\n    prefix: ${{PREFIX:=/fallback}}\n    host: ['http://a:1']\n")
    assert load(path).etcd_prefix == "/fallback"
    monkeypatch.setenv("PREFIX", "/given")
    monkeypatch.setenv("APISIX_DEPLOYMENT_ETCD_HOST", '["http://b:2"]')
    assert (load(path).etcd_prefix, load(path).etcd) == ("/given", ("http://b:2",))
    monkeypatch.setenv("APISIX_DEPLOYMENT_ETCD_HOST", "b:2")
    with pytest.raises(SpecError, match="is no JSON"):
        load(path)


@pytest.mark.parametrize("text", ["[1]", "a: [", "a: ${{UNSET}}"])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SpecError):
        load(path)


def asked(url: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    raw = answer.read().decode()
    connection.close()
    try:
        return answer.status, json.loads(raw), dict(answer.getheaders())
    except ValueError:
        return answer.status, raw, dict(answer.getheaders())


def configured(directory: Path, config: dict[str, Any]) -> Path:
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_gateway_as_config_yaml_wants_it(tmp_path: Path) -> None:
    config = {
        "apisix": {
            "match_uri_encoded_slash": True,
            "enable_server_tokens": False,
            "router": {"http": "radixtree_uri_with_parameter"},
            "status": {"port": free_port()},
            "proxy_mode": "http&stream",
        },
        "xrpc": {"protocols": [{"name": "redis"}]},
        "deployment": {"admin": {"admin_api_version": "v2"}},
    }
    with ApisixServer(config=configured(tmp_path, config)) as gateway:
        key = {"X-API-KEY": gateway.admin_key}
        mock = {"mocking": {"response_example": "$uri_param_id $uri", "content_type": "text/plain"}}
        route = {"uri": "/v1/:id/list", "plugins": mock}
        status, body, headers = asked(gateway.admin_url, "PUT", "/apisix/admin/routes/1", route, **key)
        assert (status, body["action"], body["node"]["key"]) == (201, "set", "/apisix/routes/1")
        assert (headers["Server"], headers["X-API-VERSION"]) == ("APISIX", "v2")
        status, body, headers = asked(gateway.http_url, "GET", "/v1/a%2fb/list")
        assert (status, body, headers["Server"]) == (200, "a%2Fb /v1/a/b/list", "APISIX")
        status_url = f"http://127.0.0.1:{config['apisix']['status']['port']}"
        assert asked(status_url, "GET", "/status")[:2] == (200, {"status": "ok"})
        assert asked(status_url, "GET", "/status/ready")[:2] == (200, {"status": "ok"})


def test_status_before_a_configuration_was_given(tmp_path: Path) -> None:
    port = free_port()
    deployment = {"role": "traditional", "role_traditional": {"config_provider": "yaml"}}
    config = {"apisix": {"status": {"port": port}}, "deployment": deployment}
    with ApisixServer(config=configured(tmp_path, config), etcd="http://127.0.0.1:1") as gateway:
        url = f"http://127.0.0.1:{port}"
        status, body, _ = asked(url, "GET", "/status/ready")
        assert (status, body["error"]) == (503, "worker id: 0 has not received configuration")
        assert asked(url, "GET", "/status")[0] == 200
        headers = {"X-API-KEY": gateway.admin_key, "X-Digest": "1"}
        assert asked(gateway.admin_url, "PUT", "/apisix/admin/configs", {"routes": []}, **headers)[0] == 202
        assert asked(url, "GET", "/status/ready")[0] == 200
