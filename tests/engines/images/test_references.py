"""References are exact, can be overridden, and find their way to a mirror."""

from __future__ import annotations

import pytest

from harness.engines.images import pins
from harness.engines.images.references import Reference, candidates, parse
from harness.errors import SpecError

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("python:3.11.13-slim-bookworm", Reference("python", "", "3.11.13-slim-bookworm")),
        ("nacos/nacos-server:v3.1.0", Reference("nacos/nacos-server", "", "v3.1.0")),
        ("quay.io/coreos/etcd:v3.5.21", Reference("coreos/etcd", "quay.io", "v3.5.21")),
        ("localhost:5000/a/b_c:1", Reference("a/b_c", "localhost:5000", "1")),
        (f"apache/apisix@{DIGEST}", Reference("apache/apisix", "", "", DIGEST)),
        (f"apache/apisix:3.18.0-debian@{DIGEST}", Reference("apache/apisix", "", "3.18.0-debian", DIGEST)),
    ],
)
def test_a_reference_in_parts(text: str, parts: Reference) -> None:
    assert parse(text) == parts
    assert str(parts) == text


@pytest.mark.parametrize("text", ["nacos/nacos-server", "nacos/nacos-server:latest", "registry.example:5000/nacos"])
def test_a_reference_without_a_version_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="names no version"):
        parse(text)


@pytest.mark.parametrize("text", ["", "UPPER/case:1", "a b:1", "name:tag:tag", "name@sha256:12", "https://host/name:1"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="is no image reference"):
        parse(text)


def test_every_pin_is_a_reference_with_a_version() -> None:
    names = [name for pin in pins.PINS.values() for name in (pin.official, pin.offline, pin.emulated) if name]
    own = [pins.BASE, pins.JRE, pins.PYTHON_BUILDER, pins.JAVA_BUILDER, *map(pins.stub_image, pins.STUBS)]
    for name in [*names, *own]:
        assert str(parse(name)) == name


def test_the_official_image_comes_first_and_ours_last() -> None:
    assert [found.origin for found in candidates("nacos", {})] == ["official", "offline", "emulated"]
    assert [found.local_only for found in candidates("nacos", {})] == [False, True, True]


def test_an_override_is_the_only_candidate() -> None:
    found = candidates("nacos", {"HARNESS_NACOS_IMAGE": "team/nacos:7", "HARNESS_REGISTRY_PREFIX": "mirror.example"})
    assert [(str(one.reference), one.origin) for one in found] == [("team/nacos:7", "override")]


def test_a_bad_override_names_its_variable() -> None:
    with pytest.raises(SpecError, match="HARNESS_APISIX_IMAGE"):
        candidates("apisix", {"HARNESS_APISIX_IMAGE": "apache/apisix:latest"})


@pytest.mark.parametrize(
    ("component", "prefix", "mirrored"),
    [
        ("nacos", "mirror.example:5000", "mirror.example:5000/nacos/nacos-server:v3.1.0"),
        ("python", "mirror.example/proxy/", "mirror.example/proxy/library/python:3.11.13-slim-bookworm"),
        ("etcd", "mirror.example", "mirror.example/coreos/etcd:v3.5.21"),
    ],
)
def test_a_mirror_takes_the_registrys_place(component: str, prefix: str, mirrored: str) -> None:
    official, *ours = candidates(component, {"HARNESS_REGISTRY_PREFIX": prefix})
    assert str(official.reference) == mirrored
    assert parse(mirrored) == official.reference
    assert not any(str(one.reference).startswith("mirror") for one in ours)


def test_a_prefix_that_is_a_url_is_refused() -> None:
    with pytest.raises(SpecError, match="HARNESS_REGISTRY_PREFIX"):
        candidates("etcd", {"HARNESS_REGISTRY_PREFIX": "https://mirror.example"})
