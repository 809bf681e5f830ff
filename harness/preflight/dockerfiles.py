"""`harness preflight dockerfiles`: every service's Dockerfile against what the platform declares of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.model import Platform, Service
from harness.preflight.dockerfile import DockerfileError, parse
from harness.preflight.dockerfile_checks import CHECKS, Contract
from harness.preflight.findings import Finding


def check_platform(platform: Platform) -> tuple[list[Path], list[Finding]]:
    """The Dockerfiles that were read, and what is wrong with them."""
    read: list[Path] = []
    findings: list[Finding] = []
    for service in platform.services.values():
        if service.build is None:
            continue
        path = _path(platform, service)
        read.append(path)
        findings.extend(_check(path, service))
    return read, findings


def check_text(text: str, contract: Contract, where: str) -> Iterator[Finding]:
    """What is wrong with a Dockerfile's text; `where` is its file's name."""
    try:
        file = parse(text)
        file.lineage(contract.target)
    except (DockerfileError, LookupError) as error:
        yield Finding("readable", where, str(error.args[0]), "see Docker's Dockerfile reference")
        return
    for check in CHECKS:
        for breach in check(file, contract):
            yield Finding(check.__name__.replace("_", "-"), f"{where}:{breach.line}", breach.what, breach.mend)


def _check(path: Path, service: Service) -> Iterator[Finding]:
    try:
        text = path.read_text()
    except OSError as error:
        yield Finding(
            "readable", str(path), f"can't be read: {error.strerror}", "mend `dockerfile` in the platform file"
        )
        return
    ports = frozenset(port for port in (service.http_port, service.grpc_port) if port)
    target = service.build.target if service.build else ""
    yield from check_text(text, Contract(ports, service.config is not None, target), str(path))


def _path(platform: Platform, service: Service) -> Path:
    """Beside the build's context, as docker-compose has it; else beside the platform file."""
    assert service.build is not None
    within = platform.directory / service.build.context / service.build.dockerfile
    return within if within.exists() else platform.directory / service.build.dockerfile
