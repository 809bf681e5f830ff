"""The container daemon as a builder: contexts in, images out, its lines told as they come."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.engines.images.local import FINGERPRINT_LABEL
from harness.engines.images.recipes import Context, Say
from harness.errors import EngineUnavailable, HarnessError

_ARGUMENT = re.compile(r"^\s*ARG\s+(\w+)", re.MULTILINE | re.IGNORECASE)
#: The first of January 2000. Not 0: Maven doesn't copy a resource that is no newer than a file that isn't there.
_MTIME = 946_684_800
#: How much of a failed build is shown.
LAST_LINES = 25


class BuildFailed(HarnessError):
    """An image could not be made; the message ends with what the build said last."""


def connect() -> Any:
    """A docker.DockerClient whose daemon answers. Raises EngineUnavailable with the mend."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError as error:
        raise EngineUnavailable(
            "the Python package docker is missing", mend="pip install 'bi-harness[docker]'"
        ) from error
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, OSError) as error:
        raise unreachable(error) from error
    return client


def unreachable(error: Exception) -> EngineUnavailable:
    """Why the daemon can't be had, with the mend."""
    where = os.environ.get("DOCKER_HOST", "the local daemon")
    if "Permission denied" in str(error):
        return EngineUnavailable(
            f"this user may not speak with the container daemon: {error}",
            where=where,
            mend="`sudo usermod -aG docker $USER` and log in again, or rootless Docker; `--engine embedded` needs none",
        )
    return EngineUnavailable(
        f"no container daemon answers: {error}",
        where=where,
        mend="start Docker (Linux: `systemctl start docker`; macOS: `colima start` or Docker Desktop), or point "
        "DOCKER_HOST at one; `--engine embedded` needs none",
    )


def fingerprint_of(client: Any, tag: str) -> str:
    """The fingerprint of an image that was made here, "" without one."""
    from docker.errors import ImageNotFound

    try:
        return str((client.images.get(tag).labels or {}).get(FINGERPRINT_LABEL, ""))
    except ImageNotFound:
        return ""


def build(
    client: Any,
    *,
    tag: str,
    text: str,
    context: Context,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    say: Say,
    target: str = "",
    network: str = "",
) -> None:
    """`docker build`, by the engine's own builder, so that neither a plugin nor BuildKit is needed.

    Of `arguments` those are passed that the Dockerfile declares (and the proxies, which Docker knows itself).
    Raises BuildFailed.
    """
    declared = {*declared_arguments(text), "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    events = client.api.build(
        fileobj=io.BytesIO(packed({**context, "Dockerfile": text.encode()})),
        custom_context=True,
        tag=tag,
        buildargs={name: value for name, value in arguments.items() if name in declared or name.upper() in declared},
        labels=dict(labels),
        target=target or None,
        network_mode=network or None,
        rm=True,
        forcerm=True,
        decode=True,
    )
    follow(events, tag, say)


def declared_arguments(text: str) -> set[str]:
    """The arguments that a Dockerfile declares."""
    return set(_ARGUMENT.findall(text))


def import_folder(client: Any, *, tag: str, folder: Path, config: Iterable[str], labels: Mapping[str, str]) -> None:
    """`docker import` of a root file system. Raises BuildFailed."""
    repository, _, version = tag.rpartition(":")
    changes = [*config, *(f'LABEL {name}="{value}"' for name, value in labels.items())]
    archive = folder.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, arcname=".")
    answer = client.api.import_image(src=str(archive), repository=repository, tag=version, changes=changes)
    archive.unlink()
    if '"error' in answer:
        raise BuildFailed(f"the import failed: {answer.strip()}", where=tag)


def follow(events: Iterable[Mapping[str, Any]], tag: str, say: Say) -> None:
    """Tell each line of a build. Raises BuildFailed with the last ones when it fails."""
    lines: list[str] = []
    for event in events:
        for line in str(event.get("stream", "")).splitlines():
            if line.strip():
                lines.append(line.rstrip())
                say(line.strip())
        if "error" in event:
            last = "\n".join(f"    {line}" for line in lines[-LAST_LINES:])
            raise BuildFailed(f"{event['error']}\n{last}", where=tag, mend=_mend(last))


def _mend(last: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in last or "certificate" in last:
        return "name the certificates of your registry: HARNESS_CA_BUNDLE=/path/to/bundle.pem"
    if "Could not find artifact" in last:
        return "its modules are not in this registry: load the official image, or let the emulator play its part"
    if "name resolution" in last or "resolve host" in last or "unreachable" in last or "timed out" in last:
        return (
            "HARNESS_BUILD_NETWORK=host builds on this machine's network; HTTPS_PROXY and PIP_INDEX_URL are passed on"
        )
    return "see the lines above"


def packed(context: Context) -> bytes:
    """A build context as a tar: the same files give the same bytes, whatever their times and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in sorted(context.items()):
            body = content if isinstance(content, bytes) else content.read_bytes()
            entry = tarfile.TarInfo(path)
            entry.size = len(body)
            entry.mtime = _MTIME
            entry.mode = 0o755 if path.endswith(".sh") else 0o644
            tar.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


def tree(folder: Path, at: str = "", suffixes: tuple[str, ...] = ()) -> dict[str, bytes | Path]:
    """The files under a folder as a context; byte code is left out."""
    return {
        f"{at}/{path.relative_to(folder)}" if at else str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and (not suffixes or path.suffix in suffixes)
    }
