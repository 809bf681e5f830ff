"""What the tests with containers share: a daemon that answers, or the reason why they do not apply here."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engines.images import daemon, pins, settings
from harness.engines.images.build import build, chosen
from harness.engines.images.daemon import BuildFailed
from harness.engines.images.offline.catalogue import catalogue
from harness.errors import EngineUnavailable

SMALL = """
name: small
nacos: {namespace: small, group: SMALL}
services:
  bi-basic:
    replicas: 2
    ports: {http: 8080, grpc: 9090}
    image: IMAGE
    resources: {cpu: 500m, memory: 256Mi}
    gateway: {route_prefix: /basic, nacos_service: bi-basic, retries: 1, timeouts: {connect: 1, send: 5, read: 5}}
"""


@pytest.fixture(scope="session")
def docker_engine() -> Any:
    """A docker.DockerClient whose daemon answers; without one the test is not applicable, with the reason.

    With HARNESS_TEST_DOCKER=required, as in CI, it fails instead.
    """
    try:
        return daemon.connect()
    except EngineUnavailable as error:
        if os.environ.get("HARNESS_TEST_DOCKER") == "required":
            raise
        pytest.skip(f"not applicable: {error.what}")


@pytest.fixture(scope="session")
def offline_images(docker_engine: Any) -> Any:
    """Call with names: makes these images (at once where they are here) and answers name → tag."""

    def make(*names: str) -> dict[str, str]:
        told = settings.read()
        try:
            built = build(
                docker_engine, chosen(catalogue(told), names), told, tell=lambda *_: None, say=lambda line: None
            )
        except BuildFailed as error:
            if "debootstrap" in error.what and "ended with" not in error.what:
                pytest.skip(f"not applicable: {error.what}")
            raise
        return {one.name: one.tag for one in built}

    return make


@pytest.fixture(scope="session")
def traces() -> Any:
    """`traces(client, image, secret)`: where in the image the secret is."""
    return _traces


@pytest.fixture(scope="session")
def image_files() -> Any:
    """`image_files(client, image)`: every file of every layer with its content."""
    return _files


def _traces(client: Any, tag: str, secret: str) -> Iterator[str]:
    """Where in an image a secret is: its history, its configuration, or a file of a layer, removed later or not."""
    image = client.images.get(tag)
    if secret in json.dumps(image.history()):
        yield "history"
    if secret in json.dumps(image.attrs):
        yield "configuration"
    yield from (path for path, body in _files(client, tag) if secret.encode() in body)


def _files(client: Any, tag: str) -> Iterator[tuple[str, bytes]]:
    """Every file of every layer of an image as `docker save` writes it, and the save's own files."""
    saved = io.BytesIO(b"".join(client.images.get(tag).save()))
    with tarfile.open(fileobj=saved) as outer:
        for entry in outer:
            stream = outer.extractfile(entry)
            if stream is None:
                continue
            body = stream.read()
            yield entry.name, b"" if entry.name.endswith("layer.tar") else body
            if tarfile.is_tarfile(io.BytesIO(body)):
                with tarfile.open(fileobj=io.BytesIO(body)) as layer:
                    yield from (
                        (one.name, found.read()) for one in layer if one.isfile() and (found := layer.extractfile(one))
                    )


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, docker_engine: Any) -> Path:
    """A platform of one service with two replicas, for containers."""
    image = os.environ.get("HARNESS_BI_BASIC_IMAGE") or pins.stub_image("bi-basic")
    file = tmp_path_factory.mktemp("small") / "platform.yaml"
    file.write_text(SMALL.replace("IMAGE", image))
    return file
