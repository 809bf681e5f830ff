"""Which docker command builds with secrets, what needs it, and where a secret comes from."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from harness.engines.images.buildkit import Order, build, command, is_needed, source
from harness.engines.images.daemon import BuildFailed
from harness.errors import EngineUnavailable, SpecError

#: Says its version, has the plugin or not, and tells how it was called.
DOCKER = """#!/bin/sh
case "$1" in
    --version) echo "Docker version {version}, build 1" ;;
    buildx) {buildx} ;;
    build) echo "{says}"; echo "kit=$DOCKER_BUILDKIT $*" > "$(dirname "$0")/called"; exit {code} ;;
esac
"""


def docker(folder: Path, version: str, *, buildx: bool = False, says: str = "#1 done", code: int = 0) -> str:
    """A folder with a docker command in it."""
    folder.mkdir()
    program = folder / "docker"
    text = DOCKER.format(version=version, buildx="echo v0.1" if buildx else "exit 1", says=says, code=code)
    program.write_text(text)
    program.chmod(0o755)
    return str(folder)


def test_the_first_that_can_is_taken(tmp_path):
    plain, old = docker(tmp_path / "plain", "28.2.2"), docker(tmp_path / "old", "20.10.24+dfsg1")
    plugged = docker(tmp_path / "plugged", "28.2.2", buildx=True)
    assert command(os.pathsep.join([plain, old, plugged])) == f"{old}/docker"
    assert command(os.pathsep.join([plain, plugged, old])) == f"{plugged}/docker"


def test_none_that_can_is_told_with_the_mend(tmp_path):
    with pytest.raises(EngineUnavailable, match=r"no docker command on PATH\n.*docker-buildx-plugin"):
        command(str(tmp_path))
    plain = docker(tmp_path / "plain", "28.2.2")
    with pytest.raises(EngineUnavailable, match="plain/docker has no buildx"):
        command(plain)


@pytest.mark.parametrize(
    "line",
    [
        "RUN --mount=type=secret,id=a make",
        "run\t--mount=type=cache,target=/c make",
        "RUN <<EOF",
        "COPY --chown=1 --link a b",
        "COPY --chmod=755 a b",
        "COPY <<'EOF' /a",
    ],
)
def test_what_only_buildkit_understands(line):
    assert is_needed(f"FROM a:1\n{line}\n")


@pytest.mark.parametrize(
    "line", ["RUN make --mount", "COPY --from=builder a b", "RUN echo $((1<<2))", "# RUN --mount=x"]
)
def test_what_the_classic_builder_understands(line):
    assert not is_needed(f"FROM a:1\n{line}\n")


def test_a_secret_is_a_file_or_a_variable(tmp_path, monkeypatch):
    (tmp_path / "netrc").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOG_IN", "x")
    assert source("netrc", tmp_path, "here") == source("~/netrc", Path("/"), "here") == f"src={tmp_path / 'netrc'}"
    assert source("env:LOG_IN", tmp_path, "here") == "env=LOG_IN"
    with pytest.raises(SpecError, match="here: no file is there"):
        source("nothing", tmp_path, "here")
    with pytest.raises(SpecError, match="here: the variable NONE is not set"):
        source("env:NONE", tmp_path, "here")


def order(tmp_path: Path, **more) -> Order:
    return Order(tag="t:1", context=tmp_path, dockerfile=tmp_path / "Dockerfile", **{"arguments": {}, **more})


def test_what_is_told_to_docker(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", docker(tmp_path / "bin", "20.10.24") + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("GOPROXY", "https://bot:pw@modules.example")
    said: list[str] = []
    given = {"GOPROXY": os.environ["GOPROXY"], "A": "b"}
    build(order(tmp_path, arguments=given, secrets={"netrc": "src=/n"}, target="run", network="host"), said.append)
    called = (tmp_path / "bin" / "called").read_text().split()
    assert called[:2] == ["kit=1", "build"] and called[-1] == str(tmp_path)
    pairs = set(itertools.pairwise(called))
    assert {
        ("--build-arg", "A=b"),
        ("--secret", "id=netrc,src=/n"),
        ("--target", "run"),
        ("--network", "host"),
    } <= pairs
    assert ("--build-arg", "GOPROXY") in pairs, "by name: its password would be everybody's to read"
    assert said == ["#1 done"]


def test_a_failed_build_shows_its_last_lines_and_the_mend(tmp_path, monkeypatch):
    says = "ERROR: resolve image config for docker/dockerfile:1"
    monkeypatch.setenv(
        "PATH", docker(tmp_path / "bin", "20.10.24", says=says, code=1) + os.pathsep + os.environ["PATH"]
    )
    with pytest.raises(BuildFailed, match=r"(?s)t:1: docker build ended with 1.*resolve image.*mend: leave the line"):
        build(order(tmp_path), lambda line: None)
