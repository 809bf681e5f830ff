"""What only the whole platform can tell: names that nobody has, prefixes and hosts that two services claim."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.model.platform import Config, Platform
from harness.model.problems import near
from harness.model.reader import Reader
from harness.model.routes import Gateway
from harness.model.sources import SERVICE

SERVICE_PLACEHOLDER = re.compile(r"\$\{" + SERVICE + r"([^{}]*)\}")


def check_references(platform: Platform, reader: Reader) -> None:
    """Note every dangling name and every double claim."""
    services = Reader(reader.table.entries.get("services"), "services", reader.context)
    routed = {name: service.gateway for name, service in platform.services.items() if service.gateway}
    for name, gateway in routed.items():
        section = services.below(name).below("gateway")
        _check_upstream(platform, gateway, section)
        _check_auth(platform, gateway, section)
    _check_claims(routed, services)
    _check_configs(platform, reader)


def _check_upstream(platform: Platform, gateway: Gateway, section: Reader) -> None:
    running = {name for name, service in platform.services.items() if not service.external}
    if gateway.nacos_service and gateway.nacos_service not in running:
        mend = near(gateway.nacos_service, sorted(running))
        section.problem("nacos_service", f"no service {gateway.nacos_service!r} registers with Nacos", mend)
    for url in gateway.upstream_urls:
        for name in SERVICE_PLACEHOLDER.findall(url):
            if name not in running:
                section.problem("upstream_url", f"no service {name!r} runs here", near(name, sorted(running)))


def _check_auth(platform: Platform, gateway: Gateway, section: Reader) -> None:
    """A method that no consumer has a credential for would refuse everybody; so would a consumer nobody knows."""
    known = platform.security.consumers
    holders = {"jwt": platform.security.jwt, "api-key": platform.security.api_keys}
    for method in gateway.auth.methods:
        if not holders[method]:
            mend = f"declare one: security.consumers.<name>.{method.replace('-', '_')}"
            section.problem("auth", f"no consumer has a credential for {method}", mend)
    for name in gateway.consumers:
        if name not in known:
            section.problem("consumers", f"no consumer {name!r} is declared", near(name, known))
        elif all(name not in holders[method] for method in gateway.auth.methods):
            what = f"the consumer {name!r} has no credential for {' or '.join(gateway.auth.methods)}"
            section.problem("consumers", what)


def _check_claims(routed: Mapping[str, Gateway], services: Reader) -> None:
    """One prefix on one host, and one virtual host, belong to one service."""
    prefixes: dict[tuple[str, str], str] = {}
    hosts: dict[str, str] = {}
    for name, gateway in routed.items():
        section = services.below(name).below("gateway")
        for host in (gateway.hosts or ("",)) if gateway.route_prefix else ():
            owner = prefixes.setdefault((host.lower(), gateway.route_prefix), name)
            if owner != name:
                on = f" on {host}" if host else ""
                section.problem("route_prefix", f"{gateway.route_prefix}{on} is the prefix of {owner} already")
        for host in gateway.virtual_hosts:
            if hosts.setdefault(host.lower(), name) != name:
                section.problem("virtual_hosts", f"{host} belongs to {hosts[host.lower()]} already")


def _check_configs(platform: Platform, reader: Reader) -> None:
    """One data ID in one group and namespace has one content."""
    shared = {_place(config): f"nacos.configs.{config.data_id}" for config in platform.nacos.configs}
    services = Reader(reader.table.entries.get("services"), "services", reader.context)
    for name, service in platform.services.items():
        if service.config is None:
            continue
        owner = shared.setdefault(_place(service.config), f"services.{name}.config")
        if owner != f"services.{name}.config":
            services.below(name).problem("config", f"{service.config.data_id} is declared by {owner} already")


def _place(config: Config) -> tuple[str, str, str]:
    return config.namespace, config.group, config.data_id
