"""The image that plays a part: what is here is used, what is not is pulled or told with the mend."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.engines.images import ensure, find
from harness.engines.images.build import build, chosen
from harness.engines.images.offline.catalogue import catalogue
from harness.engines.images.settings import read
from harness.errors import EngineUnavailable

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture
def copy(docker_engine: Any, offline_images: Callable[..., dict[str, str]]) -> Iterator[str]:
    """An image with a name nobody has."""
    tag = f"bi-harness-test/copy:{secrets.token_hex(4)}"
    docker_engine.images.get(offline_images("etcd")["etcd"]).tag(tag)
    yield tag
    docker_engine.images.remove(tag)


def test_an_override_that_is_here_is_not_pulled(docker_engine: Any, copy: str) -> None:
    found = ensure(docker_engine, "etcd", {"HARNESS_ETCD_IMAGE": copy})
    assert (found.reference, found.origin, found.about, found.emulated) == (copy, "override", "real 3.5.1", False)


def test_the_official_image_is_preferred_to_ours(docker_engine: Any, copy: str) -> None:
    repository, _, tag = copy.partition(":")
    environment = {"HARNESS_REGISTRY_PREFIX": f"localhost:1/{tag}"}
    assert find(docker_engine, "etcd", environment).origin == "offline"  # type: ignore[union-attr]
    official = f"localhost:1/{tag}/coreos/etcd:v3.5.21"
    docker_engine.images.get(copy).tag(official)
    try:
        assert find(docker_engine, "etcd", environment).reference == official  # type: ignore[union-attr]
    finally:
        docker_engine.images.remove(official)
    assert repository


def test_an_image_that_cannot_be_pulled_is_told_with_the_mend(docker_engine: Any) -> None:
    said: list[str] = []
    with pytest.raises(EngineUnavailable, match=r"(?s)localhost:1/none:1: can't pull it.*images build --offline"):
        ensure(docker_engine, "apisix", {"HARNESS_APISIX_IMAGE": "localhost:1/none:1"}, said.append)
    assert said == ["pulling localhost:1/none:1"]


def test_our_own_gateway_says_that_it_is_emulated(
    docker_engine: Any, offline_images: Callable[..., dict[str, str]]
) -> None:
    name = offline_images("apisix-emulator")["apisix-emulator"]
    found = ensure(docker_engine, "apisix", {"HARNESS_APISIX_IMAGE": name})
    assert found.emulated
    assert found.about.startswith("emulated (bi-harness ")


def test_a_second_build_leaves_everything_as_it_is(
    docker_engine: Any, offline_images: Callable[..., dict[str, str]]
) -> None:
    offline_images("etcd")
    told = read()
    again = build(docker_engine, chosen(catalogue(told), ["etcd"]), told, tell=lambda *_: None, say=lambda line: None)
    assert [one.made for one in again] == [False, False, False]
