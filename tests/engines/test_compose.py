"""docker-compose.yml: as rendered, and as both generations of Compose take it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import stubs
from harness.engines.compose import CONFIG, compose_text, config_text
from harness.errors import SpecError
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


@pytest.fixture
def rendered(tmp_path):
    """What a service's section becomes."""

    def render(section: str):
        (tmp_path / "platform.yaml").write_text(f"name: p\nservices:\n  orders:\n{section}")
        document = compose_text(load_platform(tmp_path / "platform.yaml", "dev"), tmp_path)
        return yaml.safe_load(document)["services"]["orders-0"]

    return render


def test_a_dockerfile_beside_the_platform_is_named_from_the_context(rendered, tmp_path):
    (tmp_path / "orders").mkdir()
    (tmp_path / "Dockerfile").touch()
    service = rendered("    build: {context: orders, dockerfile: Dockerfile, target: run, args: {A: b}}\n")
    assert service["build"] == {
        "context": "./orders",
        "dockerfile": "../Dockerfile",
        "target": "run",
        "args": {"A": "b"},
    }


def test_build_secrets_are_refused_not_forgotten(rendered):
    with pytest.raises(SpecError, match=r"services\.orders\.build\.secrets: Compose 1\.29"):
        rendered("    build: {context: orders, secrets: {netrc: netrc}}\n")
