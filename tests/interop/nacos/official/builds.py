"""Builds the programs around the official clients by their own tools; what is built already needs no network."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.processes import last_lines, spawn, stop

HERE = Path(__file__).resolve().parent.parent
#: Below the checkout, ignored by git: what is built, and the caches of the tools that make it.
CACHE = HERE.parents[2] / ".cache" / "interop"
#: Seconds for one step; on a bare machine it downloads.
LONGEST = 500.0


class BuildFailed(Exception):
    """A step of a build ended with an error; the message has the end of its log."""


@dataclass(frozen=True)
class Build:
    """How a folder of sources becomes a program.

    `name` is the result's folder, `sources` the folder beside this package, `needs` the tools that must be on the
    PATH, `steps` the commands, run in a copy of the sources; `about` is what else the result depends on.
    """

    name: str
    sources: str
    needs: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    about: str = ""

    def missing(self) -> list[str]:
        """The tools that are not on the PATH."""
        return [tool for tool in self.needs if shutil.which(tool) is None]

    def made(self) -> Path:
        """The folder with the result, built now if it is not there; raises BuildFailed."""
        folder = CACHE / f"{self.name}-{self._key()}"
        with _alone(CACHE / f"{self.name}.lock"):
            if not (folder / ".built").exists():
                self._make(folder)
        return folder

    def _key(self) -> str:
        digest = hashlib.sha256(repr((self.steps, self.about)).encode())
        for file in _files(HERE / self.sources):
            digest.update(f"\0{file.relative_to(HERE)}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:12]

    def _make(self, folder: Path) -> None:
        for old in CACHE.glob(f"{self.name}-{'?' * 12}"):
            shutil.rmtree(old)
        shutil.copytree(HERE / self.sources, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for step in self.steps:
            _run(step, folder)
        (folder / ".built").touch()


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One worker builds, the others wait for it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(step: tuple[str, ...], folder: Path) -> None:
    log = folder / "build.log"
    process = spawn(step, log=log, cwd=folder)
    try:
        code: int | str = process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        code = f"nothing after {LONGEST:g} s"
    finally:
        stop(process)
    if code != 0:
        raise BuildFailed(f"`{' '.join(step)}` in {folder} ended with {code}\n{last_lines(log, 30)}")
