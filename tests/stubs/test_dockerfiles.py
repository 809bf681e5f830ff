"""The images' recipes: one shape for all five, ports as declared, no secret and no root in the final stage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import stubs
from stubs.catalogue import SERVICES

ROOT = Path(stubs.__file__).parent
FOLDERS = {name: name.replace("-", "_") for name in SERVICES}


def recipe(name: str) -> str:
    return (ROOT / FOLDERS[name] / "Dockerfile").read_text()


def final_stage(name: str) -> str:
    return recipe(name).rpartition("\nFROM ")[2]


def test_the_five_differ_by_their_names_alone():
    def nameless(name: str) -> str:
        copied = re.compile(r"^COPY bi_.* app/stubs/.*$", re.MULTILINE)
        return copied.sub("", recipe(name)).replace(name, "NAME").replace(FOLDERS[name], "NAME")

    assert len({nameless(name) for name in SERVICES}) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_the_builder_takes_every_package(name):
    wanted = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(re.findall(r"^COPY (\w+) app/stubs/\1$", recipe(name), re.MULTILINE)) == wanted


@pytest.mark.parametrize("name", SERVICES)
def test_the_final_stage_holds_no_secret_and_no_root(name):
    final = final_stage(name)
    assert not re.search(r"NETRC|INDEX_URL|PROXY|keys", final)
    assert re.search(r"^USER (?!0|root)", final, re.MULTILINE)
    assert re.findall(r"^(HEALTHCHECK|STOPSIGNAL|ENTRYPOINT) ", final, re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_the_ports_are_those_of_the_platform(name):
    declared = yaml.safe_load((ROOT / "platform.yaml").read_text())["services"][name]["ports"]
    exposed = re.search(r"^EXPOSE (.*)$", final_stage(name), re.MULTILINE)
    assert exposed and exposed[1].split() == [str(declared["http"]), str(declared["grpc"])]


def test_every_image_is_pinned():
    for name in SERVICES:
        images = re.findall(r"^ARG \w+_IMAGE=(.+)$", recipe(name), re.MULTILINE)
        assert len(images) == 2 and all(re.search(r":\d+\.\d+\.\d+-", image) for image in images)


def test_every_requirement_is_pinned():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in lines)
