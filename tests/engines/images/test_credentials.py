"""What a builder stage is told stays there: no layer and no line of history of a final image has it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from harness.engines.images import daemon
from harness.engines.images.offline.catalogue import catalogue
from harness.engines.images.recipes import Dockerfile
from harness.engines.images.settings import BuildSettings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", ["bi-basic", "etcd"])
def test_no_credential_is_in_a_final_image(
    name: str, docker_engine: Any, offline_images: Callable[..., dict[str, str]], traces: Any, image_files: Any
) -> None:
    offline_images("base", "python-builder")
    secret = secrets.token_hex(16)
    final = built(docker_engine, name, secret, target="")
    builder = built(docker_engine, name, secret, target="builder")
    try:
        assert list(traces(docker_engine, final, secret)) == []
        assert list(traces(docker_engine, builder, secret)), "the search itself finds nothing"
        assert not [
            path for path, _ in image_files(docker_engine, final) if path.endswith((".netrc", "registries.pem"))
        ]
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
