"""The image of a declared service: the one it names, or one built from its Dockerfile when its sources have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.images import buildkit, daemon, local, pins, settings
from harness.engines.images.references import variable
from harness.errors import EngineUnavailable
from harness.model import Platform, Service
from harness.model.platform import Build

if TYPE_CHECKING:
    import docker

#: Byte code and version control are no part of what is built.
LEFT_OUT = frozenset({"__pycache__", ".git"})
#: Docker's own arguments, which no Dockerfile declares and no history keeps.
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"})


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
    from harness.engines.images.build import build, chosen
    from harness.engines.images.offline.catalogue import catalogue

    told = settings.read()
    build(client, chosen(catalogue(told), names), told, tell=lambda *_: None, say=say)


# --- a team's own


def _built(client: docker.DockerClient, platform: Platform, service: Service, say: local.Say) -> str:
    """Built from its own repository, unless an image of the same sources, arguments and target is here."""
    from docker.errors import ImageNotFound

    name, build = service.name, service.build
    if build is None:
        raise EngineUnavailable(
            "there is no image of it",
            where=f"services.{name}",
            mend="give it `image`, `dockerfile` or `build` in the platform file; the embedded engine runs its command",
        )
    order = _order(platform, service, build)
    tag = f"bi-harness-built/{name}:{_fingerprint(order)}"
    try:
        client.images.get(tag)
        return tag
    except ImageNotFound:
        say(f"building {name} from {order.context}")
    if order.secrets or buildkit.is_needed(_text(order)):
        buildkit.build(replace(order, tag=tag), say)
    else:
        _classic(client, replace(order, tag=tag), say)
    return tag


def _order(platform: Platform, service: Service, build: Build) -> buildkit.Order:
    """The declared build, with what this machine's user passes on to builds that declare it."""
    told = settings.read()
    where = f"services.{service.name}.build"
    order = buildkit.Order(
        tag="",
        context=(platform.directory / build.context).resolve(),
        dockerfile=dockerfile(platform, build),
        arguments={},
        target=build.target,
        network=told.network,
        secrets={
            name: buildkit.source(value, platform.directory, f"{where}.secrets.{name}")
            for name, value in build.secrets.items()
        },
    )
    declared = daemon.declared_arguments(_text(order))
    passed = {name: value for name, value in told.arguments.items() if name in declared or name in PROXIES}
    return replace(order, arguments={**passed, **build.args})


def _text(order: buildkit.Order) -> str:
    try:
        return order.dockerfile.read_text()
    except OSError as error:
        raise EngineUnavailable(
            f"its Dockerfile can't be read: {error.strerror}",
            where=str(order.dockerfile),
            mend="`dockerfile` is relative to the build's context, or to the platform file",
        ) from error


def _classic(client: docker.DockerClient, order: buildkit.Order, say: local.Say) -> None:
    from docker.errors import APIError

    try:
        events = client.api.build(
            path=str(order.context),
            dockerfile=str(order.dockerfile),
            tag=order.tag,
            buildargs=dict(order.arguments),
            target=order.target or None,
            network_mode=order.network or None,
            rm=True,
            forcerm=True,
            decode=True,
        )
        daemon.follow(events, order.tag, say)
    except (APIError, OSError, TypeError) as error:
        raise EngineUnavailable(f"it can't be built: {error}", where=order.tag) from error


def dockerfile(platform: Platform, build: Build) -> Path:
    """Relative to the context, as docker-compose has it; else to the platform file, as every other path is."""
    beside = platform.directory / build.context / build.dockerfile
    return (beside if beside.exists() else platform.directory / build.dockerfile).resolve()


def _fingerprint(order: buildkit.Order) -> str:
    """What decides what is built: the folder, the Dockerfile, arguments and target; not what a secret is, nor where."""
    facts = (order.target, sorted(order.arguments.items()), sorted(order.secrets))
    digest = hashlib.sha256(repr(facts).encode() + _text(order).encode())
    for path in sorted(order.context.rglob("*")):
        if path.is_file() and not LEFT_OUT.intersection(path.parts):
            digest.update(str(path.relative_to(order.context)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
