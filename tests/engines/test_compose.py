"""docker-compose.yml: as rendered, and as both generations of Compose take it."""

from __future__ import annotations

from pathlib import Path

import yaml

import stubs
from harness.engines.compose import CONFIG, compose_text, config_text
from harness.model import load_platform

STUBS = Path(stubs.__file__).parent
ROOT = STUBS.parent


def test_the_committed_files_are_as_rendered():
    platform = load_platform(STUBS / "platform.yaml", "dev")
    mend = "run `harness render --format compose > docker-compose.yml`"
    assert (ROOT / "docker-compose.yml").read_text() == compose_text(platform, ROOT), mend
    assert (STUBS / CONFIG).read_text() == config_text(), mend


def test_it_holds_every_replica_on_the_loopback_alone():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {"etcd", "nacos", "apisix", "bi-basic-0", "bi-basic-1", "bi-api-leke-1"} <= services.keys()
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_it_uses_nothing_that_compose_1_29_lacks():
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert document.keys() == {"services"}, "the Compose specification without a version: 1.27 and later"
    known = {"image", "build", "entrypoint", "command", "environment", "ports", "depends_on", "volumes", "networks"}
    for service in document["services"].values():
        assert service.keys() <= known | {"restart", "mem_limit", "healthcheck"}
        assert isinstance(service.get("depends_on", []), list)
