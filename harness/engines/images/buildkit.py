"""Builds by BuildKit, for Dockerfiles that mount secrets or caches: the docker command speaks with it, we don't."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.engines.images.daemon import LAST_LINES, BuildFailed
from harness.engines.images.recipes import Say
from harness.errors import EngineUnavailable, SpecError

#: What the classic builder refuses.
_NEEDS = re.compile(
    r"^[ \t]*(?:RUN[ \t]+--(?:mount|network|security)|(?:COPY|ADD)[ \t](?:.*[ \t])?--(?:link|chmod|checksum)"
    r"|(?:RUN|COPY|ADD)[ \t](?:.*[ \t])?\d*<<-?[\"']?\w)",
    re.MULTILINE | re.IGNORECASE,
)
#: From this version on the docker command leaves BuildKit to its plugin buildx.
_BY_PLUGIN = 23
_MENDS = {
    "docker/dockerfile": "leave the line `# syntax=` out: the image that it names can't be pulled here",
    "failed to stat": "the secret's file must be there when the image is built",
    "name resolution": "HARNESS_BUILD_NETWORK=host builds on this machine's network",
    "certificate": "the builder image must know your registry's certificates; `harness images build --offline --only "
    "go-builder` makes one that does",
    "load metadata": "the base image is not here and can't be pulled: name one that is, by a build argument",
}


@dataclass(frozen=True)
class Order:
    """One build: `context` is its folder, `secrets` are id → where (`src=/file` or `env=NAME`)."""

    tag: str
    context: Path
    dockerfile: Path
    arguments: Mapping[str, str]
    target: str = ""
    network: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)


def is_needed(dockerfile: str) -> bool:
    """Whether a Dockerfile's text has what only BuildKit understands."""
    return _NEEDS.search(dockerfile) is not None


def source(value: str, beside: Path, where: str) -> str:
    """Where a declared secret comes from: `env:NAME`, or a file (`~` and paths beside the platform file work).

    Raises SpecError when there is nothing there.
    """
    word, _, name = value.partition(":")
    if word == "env" and name:
        if name in os.environ:
            return f"env={name}"
        raise SpecError(f"the variable {name} is not set", where=where, mend=f"export {name}=…, or name a file")
    path = (beside / Path(value).expanduser()).resolve()
    if path.is_file():
        return f"src={path}"
    raise SpecError("no file is there", where=where, mend="name a file, or a variable as env:NAME")


def command(path: str | None = None) -> str:
    """The docker command that can build by BuildKit: 20.10 to 22 by itself, a later one with its plugin buildx.

    Raises EngineUnavailable with the mend where there is none on PATH.
    """
    found = list(_on_path(path if path is not None else os.environ.get("PATH", "")))
    able = next((program for program in found if _is_able(program)), None)
    if able is None:
        what = f"{found[0]} has no buildx" if found else "there is no docker command on PATH"
        raise EngineUnavailable(
            f"this build needs BuildKit (secrets, RUN --mount): {what}",
            mend="install it (Debian, Ubuntu: `apt-get install docker.io` or `docker-buildx-plugin`; macOS: `brew "
            "install docker docker-buildx`), or build the image yourself and name it with `image:`",
        )
    return able


def _on_path(path: str) -> Iterator[str]:
    for folder in dict.fromkeys(path.split(os.pathsep)):
        if program := shutil.which("docker", path=folder or None):
            yield program


def _is_able(program: str) -> bool:
    version = _said(program, "--version").removeprefix("Docker version ").partition(".")[0]
    return version.isdigit() and (int(version) < _BY_PLUGIN or bool(_said(program, "buildx", "version")))


def _said(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def build(order: Order, say: Say) -> None:
    """Build the image, telling each line. Raises EngineUnavailable without BuildKit, BuildFailed."""
    # --load: a buildx builder other than the daemon's own would keep the image to itself
    program = command()
    load = ["--load"] if _said(program, "buildx", "version") else []
    lines: list[str] = []
    with subprocess.Popen(
        [program, "build", "--progress", "plain", *load, *_arguments(order)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                lines.append(line.rstrip())
                say(line.strip())
    if process.returncode:
        last = "\n".join(f"    {line}" for line in lines[-LAST_LINES:])
        raise BuildFailed(f"docker build ended with {process.returncode}\n{last}", where=order.tag, mend=_mend(last))


def _arguments(order: Order) -> Sequence[str]:
    options = ["--tag", order.tag, "--file", str(order.dockerfile)]
    # docker takes a value from the environment where it is the same: a command line is everybody's to read
    for name, value in order.arguments.items():
        options += ["--build-arg", name if os.environ.get(name) == value else f"{name}={value}"]
    for name, where in order.secrets.items():
        options += ["--secret", f"id={name},{where}"]
    options += ["--target", order.target] if order.target else []
    options += ["--network", order.network] if order.network else []
    return [*options, str(order.context)]


def _mend(last: str) -> str:
    return next((mend for sign, mend in _MENDS.items() if sign in last), "see the lines above")
