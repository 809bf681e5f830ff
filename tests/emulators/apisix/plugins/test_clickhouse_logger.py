"""clickhouse-logger: INSERTs."""

from __future__ import annotations

from harness.emulators.apisix.plugins.clickhouse_logger import ClickhouseLogger

LOGIN = {"user": "u", "password": "p", "database": "d", "logtable": "t", "log_format": {"u": "$uri"}}


def test_one_insert_for_a_batch(build, deliver, request_of):
    def make(port):
        addresses = [f"http://127.0.0.1:{port}/?a=b"]
        return build(ClickhouseLogger, {**LOGIN, "endpoint_addrs": addresses, "batch_max_size": 2})

    [got] = deliver(make, [request_of("/a"), request_of("/b")])
    assert got.line == "POST /?a=b HTTP/1.1"
    assert got.body == b'INSERT INTO t FORMAT JSONEachRow {"u":"/a"} {"u":"/b"}'
    names = ("host", "x-clickhouse-user", "x-clickhouse-key", "x-clickhouse-database")
    assert [got.headers[name] for name in names] == ["127.0.0.1", "u", "p", "d"]


def test_a_server_that_refuses_is_named(build, deliver, request_of, scope):
    ports = []

    def make(port):
        ports.append(port)
        return build(ClickhouseLogger, {**LOGIN, "endpoint_addr": f"http://127.0.0.1:{port}", "batch_max_size": 1})

    deliver(make, [request_of("/a")], statuses=(500,))
    said = f"server returned status code[500] host[127.0.0.1] port[{ports[0]}] body[{{}}]"
    assert ("error", f"Batch Processor[clickhouse logger] failed to process entries: {said}") in scope.logs


def test_refused_configurations(refusal):
    assert refusal(ClickhouseLogger, {**LOGIN, "endpoint_addr": "http://a", "endpoint_addrs": ["http://a"]}) == (
        "value should match only one schema, but matches both schemas 1 and 2"
    )
