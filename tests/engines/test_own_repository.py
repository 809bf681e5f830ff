"""A service built from its team's own repository: Go, the official SDK, a log-in for the build that stays out of it."""

from __future__ import annotations

import http.client
import json
import secrets
from pathlib import Path

import grpc
import pytest

from harness.engines import building
from harness.errors import SpecError
from harness.model import load_platform
from harness.stack import Stack
from harness.wait import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
REPOSITORY = Path(__file__).with_name("go_service")
PLATFORM = """
name: shop
nacos: {{namespace: shop, group: SHOP}}
services:
  orders:
    replicas: 2
    ports: {{http: 8080, grpc: 9090}}
    build:
      context: {context}
      target: runtime
      args: {{BUILDER_IMAGE: "{builder}", RUNTIME_IMAGE: "{runtime}"}}
      secrets: {{netrc: netrc}}
    resources: {{memory: 128Mi}}
    config: {{data_id: orders.yaml, content: {{greeting: hello from Nacos}}}}
    gateway: {{route_prefix: /orders, nacos_service: orders, auth: none, retries: 1, timeouts: {{connect: 1}}}}
"""


@pytest.fixture(scope="module")
def secret():
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def file(tmp_path_factory, offline_images, secret):
    images = offline_images("base", "go-builder")
    folder = tmp_path_factory.mktemp("shop")
    (folder / "netrc").write_text(f"machine modules.example login bot password {secret}\n")
    file = folder / "platform.yaml"
    file.write_text(PLATFORM.format(context=REPOSITORY, builder=images["go-builder"], runtime=images["base"]))
    return file


@pytest.fixture(scope="module")
def stack(file):
    with Stack.start(file, engine="docker") as running:
        yield running


@pytest.fixture
def orders(stack):
    yield stack.service("orders").replicas
    stack.reset()


def ask(stack, path="/orders/v1/orders"):
    connection = http.client.HTTPConnection(stack.endpoints.gateway_http.removeprefix("http://"), timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"{}")


def registered(stack):
    hosts = stack.nacos.instances("orders", group="SHOP", namespace="shop")
    return {f"{host['ip']}:{host['port']}" for host in hosts}


def answering(stack, count=12):
    """The replicas that answer, each request with a 200."""
    answers = [ask(stack) for _ in range(count)]
    assert {status for status, _ in answers} == {200}
    return {body["replica"] for _, body in answers}


def test_the_gateway_finds_it_where_the_go_sdk_registered_it(stack):
    assert registered(stack) == set(stack.engine.addresses()["orders"])
    assert answering(stack) == {"orders-0", "orders-1"}


def test_it_runs_as_its_dockerfile_says_with_the_configuration_of_nacos(stack):
    _, body = ask(stack)
    assert body["configuration"].strip() == "greeting: hello from Nacos"
    assert (body["uid"], body["zone"], body["environment"]) == (10001, "CST", "dev")
    assert body["sdk"].startswith("v2.")


def test_a_new_configuration_is_pushed_to_it(stack, orders):
    stack.nacos.publish("orders.yaml", "greeting: changed", group="SHOP", namespace="shop")
    until(
        lambda: {ask(stack)[1]["configuration"] for _ in range(4)} == {"greeting: changed"},
        20,
        awaited="the configuration in both replicas",
    )


def test_it_serves_grpc(orders):
    with grpc.insecure_channel(orders[0].grpc) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=5) == b"\x08\x01", "SERVING"


def test_a_killed_one_is_passed_over_and_replaced(stack, orders):
    orders[0].kill()
    assert answering(stack) == {"orders-1"}
    orders[0].restart()
    until(lambda: answering(stack) == {"orders-0", "orders-1"}, 20, awaited="the replaced replica")


def test_a_stopped_one_has_left_nacos_before_it_is_gone(stack, orders):
    orders[0].stop()
    assert "leaving Nacos" in stack.engine.logs("orders/0", 30)
    until(lambda: registered(stack) == {orders[1].inside}, 5, awaited="the deregistration")
    assert answering(stack) == {"orders-1"}


def test_the_log_in_is_in_no_layer_and_no_history(stack, docker_engine, secret, traces, image_files):
    (image,) = {r.container.get_wrapped_container().image.tags[0] for r in stack.engine.replicas("orders")}
    assert list(traces(docker_engine, image, secret)) == []
    assert not [path for path, _ in image_files(docker_engine, image) if path.endswith((".netrc", "registries.pem"))]


SEEN = """
ARG BASE
FROM ${BASE} AS builder
RUN --mount=type=secret,id=token,required : RUN_ID && cat /run/secrets/token > /seen
FROM ${BASE}
RUN --mount=type=secret,id=token,required : RUN_ID && test "$(wc -c < /run/secrets/token)" = 32
COPY LEAK /seen
"""


@pytest.fixture
def leaking(tmp_path, offline_images, monkeypatch, secret):
    """Build a Dockerfile that is given the secret in both stages, and copies `what` into the image."""
    base = offline_images("base")["base"]
    run = secrets.token_hex(8)  # BuildKit's cache doesn't know what a secret holds
    monkeypatch.setenv("BUILD_TOKEN", secret)

    def build(client, leak):
        (tmp_path / "Dockerfile").write_text(SEEN.replace("LEAK", leak).replace("RUN_ID", run))
        (tmp_path / "platform.yaml").write_text(
            f"name: p\nservices:\n  s:\n    build:\n      args: {{BASE: '{base}'}}\n"
            "      secrets: {token: 'env:BUILD_TOKEN'}\n"
        )
        platform = load_platform(tmp_path / "platform.yaml", "dev")
        return building.images_of(client, platform, lambda line: None)["s"]

    return build


def test_a_secret_that_was_used_in_the_final_stage_is_not_in_the_image(docker_engine, leaking, secret, traces):
    kept, leaked = leaking(docker_engine, "Dockerfile"), leaking(docker_engine, "--from=builder /seen")
    try:
        assert list(traces(docker_engine, kept, secret)) == []
        assert list(traces(docker_engine, leaked, secret)) == ["seen"], "the search itself finds nothing"
    finally:
        docker_engine.images.remove(kept, force=True)
        docker_engine.images.remove(leaked, force=True)


def test_a_secret_that_is_not_there_is_told_before_anything_is_built(docker_engine, file):
    (file.parent / "other.yaml").write_text(file.read_text().replace("netrc: netrc", "netrc: env:NO_SUCH_LOG_IN"))
    platform = load_platform(file.parent / "other.yaml", "dev")
    with pytest.raises(SpecError, match=r"services\.orders\.build\.secrets\.netrc: the variable NO_SUCH_LOG_IN"):
        building.images_of(docker_engine, platform, lambda line: None)
