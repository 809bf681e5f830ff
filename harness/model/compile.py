"""Platform → APISIX resources and Nacos records: pure, deterministic, with ids that people can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import SpecError
from harness.model.compile_gateway import WAF, gateway_resources, rate_limit
from harness.model.platform import Platform
from harness.model.resources import KINDS, Compiled, NacosConfig, NacosNamespace, Resource
from harness.model.security import Consumer, Waf

#: Service → host:port of each of its replicas.
Addresses = Mapping[str, Sequence[str]]


def compile_platform(platform: Platform, addresses: Addresses | None = None) -> Compiled:
    """Everything that the gateway and Nacos must be told.

    `addresses` says where the services named by `${service:NAME}` listen; without it they are `NAME:<http port>`, as
    in a container network. Raises SpecError for a service that `addresses` doesn't have, and for an id that both the
    harness and the `apisix` section use.
    """
    known = _named(platform) if addresses is None else addresses
    return Compiled(_resources(platform, known), _namespaces(platform), _configs(platform))


def _named(platform: Platform) -> Addresses:
    return {name: (f"{name}:{service.http_port}",) for name, service in platform.services.items()}


# --- APISIX


def _resources(platform: Platform, addresses: Addresses) -> tuple[Resource, ...]:
    found: dict[tuple[str, str], Resource] = {}
    for resource in [*_made(platform, addresses), *_given(platform)]:
        key = (resource.kind, resource.id)
        if key in found:
            what = f"apisix.{resource.kind}.{resource.id}: the harness makes a resource with this id itself"
            raise SpecError(what, where=str(platform.directory), mend="choose another id")
        found[key] = resource
    return tuple(sorted(found.values(), key=lambda resource: KINDS.index(resource.kind)))


def _made(platform: Platform, addresses: Addresses) -> Iterator[Resource]:
    for service in platform.services.values():
        if service.gateway:
            yield from gateway_resources(service, platform.security.waf is not None, addresses)
    if platform.security.waf:
        yield Resource(
            "plugin_configs", WAF, {"desc": "what is refused for all", "plugins": _waf(platform.security.waf)}
        )
    for consumer in platform.security.consumers.values():
        yield Resource("consumers", consumer.name, _consumer(consumer))
    for plugin, configuration in platform.global_rules.items():
        yield Resource("global_rules", plugin, {"plugins": {plugin: dict(configuration)}})


def _given(platform: Platform) -> Iterator[Resource]:
    for kind, resources in platform.apisix.items():
        for id, body in resources.items():
            yield Resource(kind, id, {"username": id, **body} if kind == "consumers" else dict(body))


def _waf(waf: Waf) -> dict[str, Any]:
    message = {"message": waf.message} if waf.message else {}
    plugins: dict[str, Any] = {}
    if waf.blocked_uris:
        refusal = {"rejected_code": waf.status, **({"rejected_msg": waf.message} if waf.message else {})}
        plugins["uri-blocker"] = {
            "block_rules": list(waf.blocked_uris),
            "case_insensitive": waf.ignore_case,
            **refusal,
        }
    if waf.blocked_user_agents:
        plugins["ua-restriction"] = {"denylist": list(waf.blocked_user_agents), "bypass_missing": True, **message}
    if waf.allowed_user_agents:
        plugins["ua-restriction"] = {"allowlist": list(waf.allowed_user_agents), **message}
    if waf.blocked_ips:
        plugins["ip-restriction"] = {"blacklist": list(waf.blocked_ips), **message}
    if waf.allowed_ips:
        plugins["ip-restriction"] = {"whitelist": list(waf.allowed_ips), **message}
    return plugins


def _consumer(consumer: Consumer) -> dict[str, Any]:
    plugins: dict[str, Any] = {}
    if jwt := consumer.jwt:
        key = {"secret": jwt.secret} if jwt.symmetric else {"public_key": jwt.public_key}
        plugins["jwt-auth"] = {"key": jwt.key, "algorithm": jwt.algorithm, **key}
    if consumer.api_key:
        plugins["key-auth"] = {"key": consumer.api_key.key}
    if consumer.rate_limit:
        plugins["limit-count"] = rate_limit(consumer.rate_limit, consumer.name)
    body: dict[str, Any] = {"username": consumer.name}
    if consumer.description:
        body["desc"] = consumer.description
    if consumer.labels:
        body["labels"] = dict(consumer.labels)
    return {**body, "plugins": {**plugins, **consumer.plugins}}


# --- Nacos


def _configs(platform: Platform) -> tuple[NacosConfig, ...]:
    own = [service.config for service in platform.services.values() if service.config]
    return tuple(
        NacosConfig(config.namespace, config.group, config.data_id, config.type, config.content, config.description)
        for config in [*platform.nacos.configs, *own]
    )


def _namespaces(platform: Platform) -> tuple[NacosNamespace, ...]:
    """Each that a service or a configuration is in, but for the one that is always there."""
    used = [platform.nacos.namespace]
    used += [service.nacos_namespace for service in platform.services.values()]
    used += [config.namespace for config in _configs(platform)]
    return tuple(NacosNamespace(id, id, f"{platform.name}") for id in dict.fromkeys(used) if id != "public")
