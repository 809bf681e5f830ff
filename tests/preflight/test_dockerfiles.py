"""The sample platform's Dockerfiles, and the harness's own, keep the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engines.images import offline
from harness.model import load_platform
from harness.preflight.dockerfile_checks import Contract
from harness.preflight.dockerfiles import check_platform, check_text

OWN = Path(offline.__file__).parent.parent / "dockerfiles"


def test_the_sample_platforms_dockerfiles(platform_file: Path) -> None:
    read, findings = check_platform(load_platform(platform_file, "dev"))
    assert len(read) == 5
    assert findings == []


def test_another_port_than_the_declared_one_is_told_for_that_service(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a:1\nEXPOSE 8081\n")
    (tmp_path / "platform.yaml").write_text(
        "name: p\nservices:\n  orders:\n    ports: {http: 8080}\n    dockerfile: Dockerfile\n"
    )
    _, findings = check_platform(load_platform(tmp_path / "platform.yaml", "dev"))
    ports = [(one.where, one.what) for one in findings if one.check == "exposed-ports"]
    assert ports == [
        (f"{tmp_path / 'Dockerfile'}:1", "port 8080 is declared and not exposed"),
        (f"{tmp_path / 'Dockerfile'}:2", "port 8081 is exposed and not declared"),
    ]


def test_a_dockerfile_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text("name: p\nservices:\n  orders: {dockerfile: gone/Dockerfile}\n")
    (finding,) = check_platform(load_platform(tmp_path / "platform.yaml", "dev"))[1]
    assert "gone/Dockerfile" in finding.where


@pytest.mark.parametrize(
    ("name", "target", "ports"),
    [
        ("etcd", "", {2379, 2380}),
        ("emulator", "nacos-emulator", {8848, 9848}),
        ("emulator", "apisix-emulator", {9080, 9443, 9180, 9090, 9091}),
        ("nacos-server", "", {8080, 8848, 9848, 9849}),
    ],
)
def test_the_harness_own_dockerfiles(name: str, target: str, ports: set[int]) -> None:
    text = (OWN / name / "Dockerfile").read_text()
    assert list(check_text(text, Contract(frozenset(ports), target=target), name)) == []
