"""The images that all the others stand on: Debian with Python, Java, pip. Made by debootstrap, without any image."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

from harness.engines.images import pins
from harness.engines.images.daemon import BuildFailed
from harness.engines.images.offline.sources import beside, dockerfile
from harness.engines.images.recipes import Context, Dockerfile, Recipe, RootFilesystem, Say
from harness.engines.images.settings import BuildSettings

PACKAGES = ("python3", "python-is-python3", "tzdata", "ca-certificates")
#: What nobody reads in a container.
PRUNED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale")
CONFIG = ("ENV LANG=C.UTF-8", 'CMD ["bash"]')
PRUNED_LOGS = ("var/log/bootstrap.log", "var/log/dpkg.log", "var/log/alternatives.log")


def recipes(settings: BuildSettings) -> tuple[Recipe, ...]:
    """base, jre, python-builder, java-builder and go-builder."""
    base = _upon(settings.base_image) if settings.base_image else _bootstrapped(settings.debian_mirror)
    jre = Recipe(
        name="jre",
        tag=pins.JRE,
        about="Java 17 runtime",
        how=Dockerfile(dockerfile("jre"), {"BASE_IMAGE": pins.BASE}),
        needs=("base",),
    )
    builder = Recipe(
        name="python-builder",
        tag=pins.PYTHON_BUILDER,
        about="pip and this machine's registry certificates, for builder stages",
        how=Dockerfile(dockerfile("python-builder"), {"BASE_IMAGE": pins.BASE}),
        sources=partial(_certificates, settings.ca_bundle),
        needs=("base",),
    )
    java = Recipe(
        name="java-builder",
        tag=pins.JAVA_BUILDER,
        about="Maven, a JDK and this machine's registry certificates, for builder stages",
        how=Dockerfile(dockerfile("java-builder"), {"BASE_IMAGE": pins.BASE}),
        sources=partial(_certificates, settings.ca_bundle),
        needs=("base",),
    )
    go = Recipe(
        name="go-builder",
        tag=pins.GO_BUILDER,
        about=f"Go {pins.GO_VERSION} and this machine's registry certificates, for builder stages",
        how=Dockerfile(dockerfile("go-builder"), {"BASE_IMAGE": pins.PYTHON_BUILDER, "GO_VERSION": pins.GO_VERSION}),
        needs=("python-builder",),
        on_request=True,
    )
    return base, jre, builder, java, go


def _bootstrapped(mirror: str) -> Recipe:
    return Recipe(
        name="base",
        tag=pins.BASE,
        about=f"Debian {pins.DEBIAN_SUITE} with Python",
        how=RootFilesystem(partial(bootstrap, mirror=mirror), config=CONFIG),
        facts=(*PACKAGES, *PRUNED, *PRUNED_LOGS),
    )


def _upon(image: str) -> Recipe:
    return Recipe(name="base", tag=pins.BASE, about=f"from {image}", how=Dockerfile(f"FROM {image}\n"))


def _certificates(bundle: Path | None) -> Context:
    return {"registries.pem": bundle.read_bytes() if bundle else b"", "trust.py": beside("shared", "trust.py")}


def bootstrap(folder: Path, say: Say, mirror: str = "") -> None:
    """Fill a folder with a minimal Debian. Raises BuildFailed where debootstrap can't run."""
    if shutil.which("debootstrap") is None:
        raise BuildFailed("debootstrap is not installed", where=pins.BASE, mend=_MEND)
    if os.geteuid() != 0:
        raise BuildFailed("debootstrap needs root", where=pins.BASE, mend=_MEND)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", pins.DEBIAN_SUITE, str(folder)]
    run([*command, *([mirror] if mirror else [])], say, where=pins.BASE)
    for path in PRUNED:
        for entry in sorted((folder / path).iterdir() if (folder / path).is_dir() else ()):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for path in PRUNED_LOGS:
        (folder / path).unlink(missing_ok=True)


_MEND = (
    "on Debian or Ubuntu: `apt-get install debootstrap` and run this as root; elsewhere HARNESS_BASE_IMAGE names a "
    "Debian image with Python to start from, such as python:3.11.13-slim-bookworm"
)


def run(command: list[str], say: Say, where: str, cwd: Path | None = None) -> None:
    """Run a program and tell its lines. Raises BuildFailed with the last ones."""
    lines: list[str] = []
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            say(line.strip())
    if process.returncode:
        last = "\n".join(f"    {line}" for line in lines[-20:])
        raise BuildFailed(f"{command[0]} ended with {process.returncode}\n{last}", where=where)
