"""Reads one entry of the `services` section."""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.model import tree
from harness.model.overlay import laid_over
from harness.model.platform import Build, Config, Resources, Service
from harness.model.read_config import read_config
from harness.model.read_gateway import check_complete, read_gateway
from harness.model.reader import Reader
from harness.model.routes import Gateway
from harness.model.sources import Sources
from harness.model.tree import Table

#: A DNS label: the name is a host in a container network and a Kubernetes object.
NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
CPU = r"\d+(\.\d+)?|\d+m"
MEMORY = r"\d+(\.\d+)?(Ki|Mi|Gi|k|M|G)?"
#: What only a service has that runs here.
RUNNING = ("replicas", "ports", "command", "warm", "env", "image", "build", "dockerfile", "resources", "config")


class Surroundings(NamedTuple):
    """What a service takes from the rest of the file."""

    sources: Sources
    defaults: Table
    namespace: str
    group: str


def read_service(name: str, reader: Reader, around: Surroundings) -> Service:
    """One service, checked on its own."""
    if not re.fullmatch(NAME, name):
        reader.problem(None, f"the service's name {name!r} is not a host name: a-z, 0-9 and '-'")
    nacos = reader.below("nacos")
    namespace = nacos.text("namespace", around.namespace, fill=True)
    group = nacos.text("group", around.group, fill=True)
    nacos.done()
    ports = reader.below("ports")
    resources = reader.below("resources")
    service = Service(
        name=name,
        external=reader.flag("external", False),
        replicas=reader.integer("replicas", 1, 0, 100),
        http_port=ports.integer("http", 8080, 1, 65535),
        grpc_port=ports.integer("grpc", 0, 1, 65535),
        command=reader.words("command"),
        warm=reader.words("warm"),
        env=reader.variables("env"),
        image=reader.text("image", fill=True),
        build=_build(reader),
        resources=Resources(
            cpu=_quantity(resources, "cpu", CPU, "an amount of CPU such as 500m or 1.5"),
            memory=_quantity(resources, "memory", MEMORY, "an amount of memory such as 256Mi"),
        ),
        nacos_namespace=namespace,
        nacos_group=group,
        config=_config(reader, name, namespace, group, around.sources),
        gateway=_gateway(reader, name, namespace, group, around.defaults),
    )
    for part in (ports, resources, reader):
        part.done()
    _check(service, reader, ports)
    return service


def _quantity(reader: Reader, key: str, pattern: str, means: str) -> str:
    """An amount as written: `cpu: 1` and `cpu: "1"` are the same."""
    node = reader.node(key)
    if node is None:
        return ""
    if not isinstance(node, tree.Scalar) or not re.fullmatch(pattern, node.text):
        reader.problem(key, f"{getattr(node, 'text', 'this')!r} is not {means}")
        return ""
    return node.text


def _build(reader: Reader) -> Build | None:
    """`build: {context, dockerfile, …}`, or only `dockerfile: path` with the platform file's folder as context."""
    dockerfile = reader.text("dockerfile")
    if not reader.has("build"):
        return Build(context=".", dockerfile=dockerfile, target="", args={}, secrets={}) if dockerfile else None
    if dockerfile:
        reader.problem("dockerfile", "stands beside build", "write build.dockerfile")
    below = reader.below("build")
    build = Build(
        context=below.text("context", ".", fill=True),
        dockerfile=below.text("dockerfile", "Dockerfile", fill=True),
        target=below.text("target"),
        args=below.variables("args"),
        secrets=below.variables("secrets"),
    )
    below.done()
    return build


def _config(reader: Reader, name: str, namespace: str, group: str, sources: Sources) -> Config | None:
    if not reader.has("config"):
        return None
    return read_config(f"{name}.yaml", reader.below("config"), namespace, group, sources)


def _gateway(reader: Reader, name: str, namespace: str, group: str, defaults: Table) -> Gateway | None:
    node = reader.node("gateway")
    if node is None:
        return None
    if isinstance(node, Table):
        merged = laid_over(defaults, node, reader.problems, reader.at("gateway"))
        node = Table(merged.entries, merged.places, node.where)
    below = Reader(node, reader.at("gateway"), reader.context)
    gateway = read_gateway(below, name, namespace, group)
    check_complete(below, gateway)
    return gateway


def _check(service: Service, reader: Reader, ports: Reader) -> None:
    if service.grpc_port and service.grpc_port == service.http_port:
        ports.problem("grpc", f"the port {service.grpc_port} is the HTTP port already")
    if service.external:
        for key in RUNNING:
            if reader.has(key):
                reader.problem(key, "an external service runs elsewhere and has none", "remove it, or external: true")
        if service.gateway is None:
            reader.problem(None, "an external service that isn't routed to does nothing", "give it a gateway section")
    elif not (service.command or service.build or service.image):
        reader.problem(
            None, "nothing says how it is started", "give command, dockerfile, build or image, or external: true"
        )
    if service.warm and not service.command:
        reader.problem("warm", "needs command as well", "command starts a replica where there is no warm parent")
