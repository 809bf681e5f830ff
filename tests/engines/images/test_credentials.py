"""What a builder stage is told stays there: no layer and no line of history of a final image has it."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.engines.images import daemon
from harness.engines.images.offline.catalogue import catalogue
from harness.engines.images.recipes import Dockerfile
from harness.engines.images.settings import BuildSettings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", ["bi-basic", "etcd"])
def test_no_credential_is_in_a_final_image(
    name: str, docker_engine: Any, offline_images: Callable[..., dict[str, str]]
) -> None:
    offline_images("base", "python-builder")
    secret = secrets.token_hex(16)
    final = built(docker_engine, name, secret, target="")
    builder = built(docker_engine, name, secret, target="builder")
    try:
        assert list(traces(docker_engine, final, secret)) == []
        assert list(traces(docker_engine, builder, secret)), "the search itself finds nothing"
        assert not [path for path, _ in files(docker_engine, final) if path.endswith((".netrc", "registries.pem"))]
    finally:
        docker_engine.images.remove(final, force=True)
        docker_engine.images.remove(builder, force=True)


def built(client: Any, name: str, secret: str, target: str) -> str:
    """A stand-in's image, or its builder stage, made with a log-in that nobody asks for."""
    (recipe,) = (one for one in catalogue(BuildSettings({})) if one.name == name)
    assert isinstance(recipe.how, Dockerfile)
    tag = f"bi-harness-test/{name}:{target or 'final'}-{secret[:8]}"
    daemon.build(
        client,
        tag=tag,
        text=recipe.how.text,
        context=recipe.sources(),
        arguments={"NETRC": f"machine index.example login bot password {secret}", **recipe.how.arguments},
        labels={},
        say=lambda line: None,
        target=target,
    )
    return tag


def traces(client: Any, tag: str, secret: str) -> Iterator[str]:
    """Where in an image a secret is: its history, its configuration, or a file of a layer, removed later or not."""
    image = client.images.get(tag)
    if secret in json.dumps(image.history()):
        yield "history"
    if secret in json.dumps(image.attrs):
        yield "configuration"
    yield from (path for path, body in files(client, tag) if secret.encode() in body)


def files(client: Any, tag: str) -> Iterator[tuple[str, bytes]]:
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
