"""The sample platform that ships: right in each environment, for the services and for the gateway."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from harness.emulators.apisix.plugins.registry import PLUGINS
from harness.emulators.apisix.schema.validate import Validator
from harness.model import compile_platform, load_platform
from stubs.catalogue import SERVICES

SAMPLE = Path(__file__).parents[2] / "stubs" / "platform.yaml"
ENVIRONMENTS = ("dev", "test", "prod")
KNOWN = {plugin.name: plugin for plugin in PLUGINS}


@pytest.fixture(params=ENVIRONMENTS)
def platform(request):
    return load_platform(SAMPLE, request.param, environ={})


def test_five_services_with_two_replicas(platform):
    assert list(platform.services) == ["bi-basic", "bi-analysis", "bi-chat", "bi-api-jushuitan", "bi-api-leke"]
    assert {service.replicas for service in platform.services.values()} == {2}
    assert [service.gateway.route_prefix for service in platform.services.values()] == [
        f"/{name}" for name in platform.services
    ]


def test_leke_is_reached_by_its_address_and_the_others_by_name(platform):
    upstreams = compile_platform(platform, {"bi-api-leke": ["127.0.0.1:4000"]}).of("upstreams")
    assert [name for name, found in upstreams.items() if "nodes" in found.body] == ["bi-api-leke"]


def test_the_services_take_their_configurations(platform):
    models = {f"{name}.yaml": service.config for name, service in SERVICES.items()}
    contents = {config.data_id: config.content for config in compile_platform(platform).configs}
    assert models.keys() <= contents.keys()
    for data_id, model in models.items():
        model.model_validate(yaml.safe_load(contents[data_id]))


def test_services_and_gateway_share_the_token_s_secret(platform):
    found = {config.data_id: config.content for config in compile_platform(platform).configs}
    jwt = yaml.safe_load(found["bi-basic.yaml"])["jwt"]
    consumer = platform.security.jwt["bi-user"]
    assert (jwt["key"], jwt["secret"]) == (consumer.key, consumer.secret)


def test_the_gateway_takes_every_plugin(platform):
    for resource in compile_platform(platform).resources:
        for name, conf in resource.body.get("plugins", {}).items():
            plugin = KNOWN[name]
            schema = plugin.consumer_schema if resource.kind == "consumers" else None
            assert Validator(schema or plugin.schema).check(copy.deepcopy(conf)) is None, (resource, name)


def test_environments_differ():
    platforms = [load_platform(SAMPLE, name, environ={}) for name in ENVIRONMENTS]
    assert len({str(compile_platform(platform).of("services")["bi-basic"].body) for platform in platforms}) > 1
    assert [platform.nacos.namespace for platform in platforms] == ["bi-dev", "bi-test", "bi-prod"]
    contents = [[config.content for config in compile_platform(platform).configs] for platform in platforms]
    assert contents[0] != contents[1] != contents[2]


def test_production_has_no_secret_of_development():
    dev, prod = (load_platform(SAMPLE, name, environ={}).security.jwt["bi-user"].secret for name in ("dev", "prod"))
    assert dev != prod
