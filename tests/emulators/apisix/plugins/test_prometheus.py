"""prometheus: what is counted, under which labels, and how it is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.emulators.apisix.context import Try
from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.metrics import GatewayFacts, Metrics
from harness.emulators.apisix.plugins.prometheus import Prometheus, export_app, metrics_of

LABELS = (
    'route="7",service="",consumer="",node="127.0.0.1",'
    'request_type="traditional_http",request_llm_model="",llm_model=""'
)


@pytest.fixture
def proxied(request_of, scope):
    def make(status=200, value=None, took=0.004, **more):
        ctx = request_of("/fx/status/200")
        ctx.status, ctx.from_upstream = status, True
        ctx.route = SimpleNamespace(id="7", hosts=None, value={"id": "7", **(value or {})})
        vars(ctx.route).update(more)
        ctx.path_params = {"_path": "/fx/status/*"}
        ctx.request_length, ctx.bytes_sent = 100, 250
        ctx.tries = [Try("127.0.0.1:21980", status=status, response_time=took)]
        scope.clock.advance(0.006)
        return ctx

    return make


def scrape(scope, path="/apisix/prometheus/metrics"):
    return export_app(metrics_of(scope))(Request("GET", path, path, "", Headers()))


def lines(scope, start):
    return [line for line in scrape(scope).body.decode().splitlines() if line.startswith(start)]


def test_statuses_with_all_their_labels(build, scope, proxied):
    plugin = build(Prometheus)
    for status in (200, 200, 404):
        plugin.log(proxied(status))
    labels = LABELS.replace('service=""', 'matched_uri="/fx/status/*",matched_host="",service=""')
    assert lines(scope, "apisix_http_status") == [
        f'apisix_http_status{{code="200",{labels},response_source="upstream"}} 2',
        f'apisix_http_status{{code="404",{labels},response_source="upstream"}} 1',
    ]


def test_latency_and_bandwidth(build, scope, proxied):
    build(Prometheus).log(proxied())
    assert lines(scope, "apisix_bandwidth") == [
        f'apisix_bandwidth{{type="egress",{LABELS}}} 250',
        f'apisix_bandwidth{{type="ingress",{LABELS}}} 100',
    ]
    buckets = lines(scope, 'apisix_http_latency_bucket{type="upstream"')
    assert buckets[0] == f'apisix_http_latency_bucket{{type="upstream",{LABELS},le="5"}} 1'
    assert buckets[-1].endswith('le="+Inf"} 1')
    assert len(buckets) == 14
    assert lines(scope, 'apisix_http_latency_sum{type="upstream"') == [
        f'apisix_http_latency_sum{{type="upstream",{LABELS}}} 4'
    ]
    assert len(lines(scope, "apisix_http_latency_count")) == 3


def test_the_host_pattern_that_matched(build, scope, proxied):
    build(Prometheus).log(proxied(hosts=["*.test", "*.golden.test", "golden.*"]))
    assert 'matched_host="*.test"' in lines(scope, "apisix_http_status")[0]


def test_a_refusal_counts_as_the_gateways_own(build, scope, request_of):
    ctx = request_of("/x")
    ctx.status = 403
    build(Prometheus).log(ctx)
    [line] = lines(scope, "apisix_http_status")
    assert 'code="403",route="",matched_uri=""' in line
    assert 'node="",' in line
    assert 'response_source="apisix"' in line
    assert not lines(scope, 'apisix_http_latency_count{type="upstream"')


def test_names_instead_of_ids(build, scope, proxied):
    plugin = build(Prometheus, {"prefer_name": True})
    scope.resources["services", "9"] = {"name": "bi-analysis"}
    plugin.log(proxied(value={"name": "reports", "service_id": "9"}))
    scope.resources["services", "9"] = {}
    plugin.log(proxied(value={"name": "reports", "service_id": "9"}))
    services = [line.partition('service="')[2].partition('"')[0] for line in lines(scope, "apisix_http_status{")]
    assert services == ["9", "bi-analysis"]
    assert 'route="reports"' in lines(scope, "apisix_http_status{")[0]


def test_labels_switched_off_by_metadata(build, scope, proxied):
    plugin = build(Prometheus)
    plugin.log(proxied())
    scope.plugin_metadata["prometheus"] = {"disabled_labels": {"http_status": ["matched_uri"]}}
    plugin.log(proxied())
    assert [line[-1] for line in lines(scope, "apisix_http_status")] == ["1", "1"]
    assert 'matched_uri=""' in lines(scope, "apisix_http_status")[0]


def test_labels_and_prefix_of_ones_own(build, scope, proxied):
    scope.attr = {
        "metric_prefix": "own_",
        "metrics": {"http_status": {"extra_labels": [{"agent": "$http_user_agent"}]}},
    }
    ctx = proxied()
    ctx.headers.set("User-Agent", 'a"b')
    build(Prometheus).log(ctx)
    [line] = lines(scope, "own_http_status")
    assert line.endswith('response_source="upstream",agent="a\\"b"} 1')


def test_the_gateways_own_figures(scope):
    metrics_of(scope).facts = lambda: GatewayFacts(
        hostname="box",
        requests=12,
        connections={"active": 3},
        etcd_reachable=True,
        modify_indexes={"routes": 5},
        shared_dicts={"plugin-limit-count": (100, 90)},
        upstream_status=[("/apisix/routes/1", "127.0.0.1", "80", False)],
    )
    answer = scrape(scope)
    assert (answer.status, answer.chunked) == (200, True)
    assert answer.body.decode() == (
        "# HELP apisix_etcd_modify_indexes Etcd modify index for APISIX keys\n"
        "# TYPE apisix_etcd_modify_indexes gauge\n"
        'apisix_etcd_modify_indexes{key="routes"} 5\n'
        "# HELP apisix_etcd_reachable Config server etcd reachable from APISIX, 0 is unreachable\n"
        "# TYPE apisix_etcd_reachable gauge\n"
        "apisix_etcd_reachable 1\n"
        "# HELP apisix_http_requests_total The total number of client requests since APISIX started\n"
        "# TYPE apisix_http_requests_total gauge\n"
        "apisix_http_requests_total 12\n"
        "# HELP apisix_nginx_http_current_connections Number of HTTP connections\n"
        "# TYPE apisix_nginx_http_current_connections gauge\n"
        'apisix_nginx_http_current_connections{state="active"} 3\n'
        "# HELP apisix_nginx_metric_errors_total Number of nginx-lua-prometheus errors\n"
        "# TYPE apisix_nginx_metric_errors_total counter\n"
        "apisix_nginx_metric_errors_total 0\n"
        "# HELP apisix_node_info Info of APISIX node\n"
        "# TYPE apisix_node_info gauge\n"
        'apisix_node_info{hostname="box",version="3.18.0"} 1\n'
        "# HELP apisix_shared_dict_capacity_bytes The capacity of each nginx shared DICT since APISIX start\n"
        "# TYPE apisix_shared_dict_capacity_bytes gauge\n"
        'apisix_shared_dict_capacity_bytes{name="plugin-limit-count"} 100\n'
        "# HELP apisix_shared_dict_free_space_bytes The free space of each nginx shared DICT since APISIX start\n"
        "# TYPE apisix_shared_dict_free_space_bytes gauge\n"
        'apisix_shared_dict_free_space_bytes{name="plugin-limit-count"} 90\n'
        "# HELP apisix_upstream_status Upstream status from health check\n"
        "# TYPE apisix_upstream_status gauge\n"
        'apisix_upstream_status{name="/apisix/routes/1",ip="127.0.0.1",port="80"} 0\n'
    )
    assert scrape(scope, "/other").status == 404


def test_workers_are_summed(build, scope, proxied):
    here = metrics_of(scope)
    there = Metrics(scope.shared("prometheus-metrics"), scope.clock, {})
    plugin = build(Prometheus)
    plugin.log(proxied())
    scope.kept["prometheus"] = there
    other = build(Prometheus)
    other.log(proxied())
    other.log(proxied())
    there.publish()
    scope.kept["prometheus"] = here
    assert lines(scope, "apisix_http_status")[0].endswith(" 3")


def test_silent_series_expire(build, scope, proxied):
    scope.attr = {"metrics": {"http_status": {"expire": 60}}}
    plugin = build(Prometheus)
    plugin.log(proxied())
    assert len(lines(scope, "apisix_http_status")) == 1
    scope.clock.advance(61)
    assert not lines(scope, "apisix_http_status")
    plugin.log(proxied())
    assert lines(scope, "apisix_http_status")[0].endswith(" 1")


def test_public_api_only_without_the_export_server(scope):
    assert Prometheus.public_api(scope) == {}
    scope.attr = {"enable_export_server": False}
    assert ("GET", "/apisix/prometheus/metrics") in Prometheus.public_api(scope)


def test_refused_configurations(refusal):
    expected = 'property "prefer_name" validation failed: wrong type: expected boolean, got number'
    assert refusal(Prometheus, {"prefer_name": 1}) == expected
