"""The image of a declared service: the one it names, or one built from its Dockerfile when its sources have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.images import daemon, local, pins
from harness.engines.images.references import variable
from harness.errors import EngineUnavailable
from harness.model import Platform, Service
from harness.model.platform import Build

if TYPE_CHECKING:
    import docker

#: Byte code and version control are no part of what is built.
LEFT_OUT = frozenset({"__pycache__", ".git"})


def images_of(
    client: docker.DockerClient, platform: Platform, say: local.Say, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Service → the reference of its image, which is here: pulled or built if need be.

    HARNESS_<SERVICE>_IMAGE names another. Raises EngineUnavailable with the mend when one can't be had.
    """
    running = {name: service for name, service in platform.services.items() if not service.external}
    named = {name: environment.get(variable(name)) or service.image for name, service in running.items()}
    ours = [name for name, service in running.items() if not named[name] and _is_our_own(platform, service)]
    found = {name: _present(client, reference, name, say) for name, reference in named.items() if reference}
    found |= _stand_ins(client, ours, say)
    return found | {
        name: _built(client, platform, service, say) for name, service in running.items() if name not in found
    }


def _present(client: docker.DockerClient, reference: str, service: str, say: local.Say) -> str:
    from docker.errors import ImageNotFound

    try:
        client.images.get(reference)
    except ImageNotFound:
        local.pull(client, reference, service, say)
    return reference


# --- our stand-ins


def _is_our_own(platform: Platform, service: Service) -> bool:
    """Whether it is one of the sample's, whose images `harness images build` makes as well."""
    folder = pins.STUBS.get(service.name)
    if folder is None or service.build is None:
        return False
    import stubs

    return platform.directory / service.build.dockerfile == Path(stubs.__file__).parent / folder / "Dockerfile"


def _stand_ins(client: docker.DockerClient, names: Sequence[str], say: local.Say) -> dict[str, str]:
    """Our own, as their sources are now."""
    tags = {name: pins.stub_image(name) for name in names}
    if missing := [name for name, tag in tags.items() if not daemon.fingerprint_of(client, tag)]:
        raise EngineUnavailable(
            f"there is no {tags[missing[0]]} here", where=missing[0], mend="`harness images build --offline` makes it"
        )
    if names:
        make_current(client, names, say)
    return tags


def make_current(client: docker.DockerClient, names: Sequence[str], say: local.Say) -> None:
    """Make those of our own images anew whose sources have changed: what runs is what is in the folder.

    `names` are those of `harness images build --only`. Raises BuildFailed.
    """
    from harness.engines.images import settings
    from harness.engines.images.build import build, chosen
    from harness.engines.images.offline.catalogue import catalogue

    told = settings.read()
    build(client, chosen(catalogue(told), names), told, tell=lambda *_: None, say=say)


# --- a team's own


def _built(client: docker.DockerClient, platform: Platform, service: Service, say: local.Say) -> str:
    """Built from its own repository, unless an image of the same sources, arguments and target is here."""
    from docker.errors import APIError, ImageNotFound

    name, build = service.name, service.build
    if build is None:
        raise EngineUnavailable(
            "there is no image of it",
            where=f"services.{name}",
            mend="give it `image`, `dockerfile` or `build` in the platform file; the embedded engine runs its command",
        )
    if build.secrets:
        raise EngineUnavailable(
            "build secrets need BuildKit, which the daemon's API doesn't offer",
            where=f"services.{name}.build.secrets",
            mend=f"build it with `docker build --secret` and name the result: image: …, or {variable(name)}=…",
        )
    context = platform.directory / build.context
    tag = f"bi-harness-built/{name}:{_fingerprint(context, build)}"
    try:
        client.images.get(tag)
        return tag
    except ImageNotFound:
        say(f"building {name} from {context}")
    try:
        events = client.api.build(
            path=str(context),
            dockerfile=str(_dockerfile(platform, build)),
            tag=tag,
            buildargs=dict(build.args),
            target=build.target or None,
            rm=True,
            decode=True,
        )
        daemon.follow(events, tag, say)
    except (APIError, OSError, TypeError) as error:
        raise EngineUnavailable(f"it can't be built: {error}", where=f"services.{name}.build") from error
    return tag


def _dockerfile(platform: Platform, build: Build) -> Path:
    """Relative to the context, as docker-compose has it; else to the platform file, as every other path is."""
    beside = platform.directory / build.context / build.dockerfile
    return (beside if beside.exists() else platform.directory / build.dockerfile).resolve()


def _fingerprint(context: Path, build: Build) -> str:
    digest = hashlib.sha256(repr((build.dockerfile, build.target, sorted(build.args.items()))).encode())
    for path in sorted(context.rglob("*")):
        if path.is_file() and not LEFT_OUT.intersection(path.parts):
            digest.update(str(path.relative_to(context)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
