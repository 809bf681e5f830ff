"""docker-compose.yml: the stack of the docker engine by hand, rendered from the platform so that it can't drift."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import harness
from harness.engines.building import dockerfile
from harness.engines.images.pins import PINS, STUBS, stub_image
from harness.engines.images.references import variable
from harness.errors import SpecError
from harness.model import Platform, Service

#: For a stack on this machine's loopback alone, as the file says; the engine makes its own for each run.
USER, PASSWORD = "nacos", "nacos-development"
ADMIN_KEY = "admin-development-key-0123456789"
TOKEN = "YmktaGFybmVzcy1kZXZlbG9wbWVudC10b2tlbi0wMTIzNDU2Nzg5"
#: Beside the compose file: what APISIX reads.
CONFIG = "apisix-config.yaml"
#: Our images' own checks come every 5 s, each a process: a dozen of them would keep a laptop busy.
SELDOM = {"interval": "60s"}
HEAD = """\
# Made by `harness render --format compose`: don't edit, render again.
# The stack of `--engine docker` by hand, with Compose 1.29 or 2: `docker compose up`. The gateway is
# http://127.0.0.1:9080, its Admin API 127.0.0.1:9180, Nacos 127.0.0.1:8848. Where the official images can't be pulled:
# `harness images build --offline`, and name what it made:
#   HARNESS_ETCD_IMAGE={etcd} HARNESS_NACOS_IMAGE={nacos} HARNESS_APISIX_IMAGE={apisix}
"""


def compose_text(platform: Platform, beside: Path) -> str:
    """The file's content, for a file in the directory `beside`. Raises SpecError for a service without an image."""
    services: dict[str, Any] = {"etcd": _etcd(), "nacos": _nacos(), "apisix": _apisix(platform, beside)}
    services["configure"] = _configure(platform, beside)
    for service in platform.services.values():
        if not service.external:
            for index in range(service.replicas):
                services[f"{service.name}-{index}"] = _replica(platform, service, index, beside)
    head = HEAD.format(etcd=PINS["etcd"].offline, nacos=PINS["nacos"].offline, apisix=PINS["apisix"].emulated)
    return head + yaml.safe_dump({"services": services}, sort_keys=False, width=120, default_flow_style=False)


def config_text() -> str:
    """What APISIX reads, real or emulated, on the ports that it has in a container."""
    config = {
        "apisix": {"node_listen": 9080, "enable_control": True, "control": {"ip": "0.0.0.0", "port": 9090}},
        "deployment": {
            "role": "traditional",
            "role_traditional": {"config_provider": "etcd"},
            "admin": {
                "allow_admin": ["0.0.0.0/0"],
                "admin_key": [{"name": "admin", "key": ADMIN_KEY, "role": "admin"}],
            },
            "etcd": {"host": ["http://etcd:2379"], "prefix": "/apisix", "timeout": 30},
        },
        "discovery": {"nacos": {"host": [f"http://{USER}:{PASSWORD}@nacos:8848"], "fetch_interval": 1}},
        "plugin_attr": {"prometheus": {"export_addr": {"ip": "0.0.0.0", "port": 9091}}},
    }
    return f"# Made by `harness render --format compose`, for {ADMIN_KEY!r} see docker-compose.yml\n" + yaml.safe_dump(
        config, sort_keys=False
    )


def _image(component: str) -> str:
    return f"${{{variable(component)}:-{PINS[component].official}}}"


def _etcd() -> dict[str, Any]:
    at = "http://0.0.0.0:2379"
    return {
        "image": _image("etcd"),
        "entrypoint": ["etcd"],
        "command": ["--listen-client-urls", at, "--advertise-client-urls", at],
        "environment": {"ETCD_DATA_DIR": "/tmp/etcd"},
        "healthcheck": dict(SELDOM),
        "ports": ["127.0.0.1:2379:2379"],
    }


def _nacos() -> dict[str, Any]:
    return {
        "image": _image("nacos"),
        "environment": {
            "MODE": "standalone",
            "NACOS_AUTH_ENABLE": "true",
            "NACOS_AUTH_TOKEN": TOKEN,
            "NACOS_AUTH_IDENTITY_KEY": "development",
            "NACOS_AUTH_IDENTITY_VALUE": "development",
            "HARNESS_NACOS_AUTH": f"{USER}:{PASSWORD}",
        },
        "healthcheck": dict(SELDOM),
        "ports": ["127.0.0.1:8848:8848", "127.0.0.1:9848:9848"],
    }


def _apisix(platform: Platform, beside: Path) -> dict[str, Any]:
    return {
        "image": _image("apisix"),
        "depends_on": ["etcd", "nacos"],
        "healthcheck": dict(SELDOM),
        "environment": {"HARNESS_APISIX_NACOS": f"http://{USER}:{PASSWORD}@nacos:8848"},
        "volumes": [f"{_relative(platform.directory / CONFIG, beside)}:/usr/local/apisix/conf/config.yaml:ro"],
        "ports": [f"127.0.0.1:{port}:{port}" for port in (9080, 9180, 9090, 9091)],
        "restart": "on-failure",
    }


def _configure(platform: Platform, beside: Path) -> dict[str, Any]:
    """Applies the platform once, with our emulator's image as the Python that has the packages it takes."""
    return {
        "image": PINS["apisix"].emulated,
        "depends_on": ["apisix", "nacos"],
        "healthcheck": {"disable": True},
        "entrypoint": ["python", "-m", "harness.applying"],
        "command": ["/platform/platform.yaml", "--env", platform.environment],
        "environment": {
            "APISIX_ADMIN": "http://apisix:9180",
            "APISIX_ADMIN_KEY": ADMIN_KEY,
            "NACOS": f"http://{USER}:{PASSWORD}@nacos:8848",
        },
        "volumes": [
            f"{_relative(platform.directory, beside)}:/platform:ro",
            f"{_relative(Path(harness.__file__).parent, beside)}:/opt/app/harness:ro",
        ],
    }


def _replica(platform: Platform, service: Service, index: int, beside: Path) -> dict[str, Any]:
    ports = {"HTTP_PORT": str(service.http_port), "GRPC_PORT": str(service.grpc_port or "")}
    told: Mapping[str, str] = {
        "DEPLOY_ENV": platform.environment,
        "BIND_HOST": "0.0.0.0",
        **ports,
        "NACOS_ADDR": "nacos:8848",
        "NACOS_NAMESPACE": service.nacos_namespace,
        "NACOS_GROUP": service.nacos_group,
        "NACOS_USERNAME": USER,
        "NACOS_PASSWORD": PASSWORD,
        "REPLICA_ID": f"{service.name}-{index}",
        **service.env,
    }
    limits = {"mem_limit": service.resources.memory.replace("i", "").lower()} if service.resources.memory else {}
    return {
        **_source(platform, service, beside),
        "depends_on": ["nacos"],
        "environment": dict(told),
        "healthcheck": dict(SELDOM),
        "networks": {"default": {"aliases": [service.name]}},
        "restart": "on-failure",
        **limits,
    }


def _source(platform: Platform, service: Service, beside: Path) -> dict[str, Any]:
    """Where its image comes from: a name, or a recipe."""
    if service.image:
        return {"image": service.image}
    if service.build is None:
        raise SpecError(
            "there is no image of it",
            where=f"services.{service.name}",
            mend="give it `image`, `dockerfile` or `build` in the platform file",
        )
    build = service.build
    if build.secrets:
        raise SpecError(
            "Compose 1.29 has no build secrets",
            where=f"services.{service.name}.build.secrets",
            mend="build it with `docker build --secret` and name the result: `image: …`",
        )
    context = platform.directory / build.context
    recipe: dict[str, Any] = {"context": _relative(context, beside)}
    # Compose has it relative to the context; a platform file's may be relative to itself
    recipe["dockerfile"] = os.path.relpath(dockerfile(platform, build), context.resolve())
    if build.target:
        recipe["target"] = build.target
    if build.args:
        recipe["args"] = dict(build.args)
    image = stub_image(service.name) if service.name in STUBS else f"bi-harness-built/{service.name}:compose"
    return {"image": image, "build": recipe}


def _relative(path: Path, beside: Path) -> str:
    found = os.path.relpath(path.resolve(), beside.resolve())
    return found if found.startswith(".") else f"./{found}"
