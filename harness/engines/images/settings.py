"""What a machine's user says about building images, read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.engines.images import references
from harness.errors import SpecError

#: Passed on to every build that declares them; the first six are Docker's own and never in an image's history.
PASSED_ON = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "GOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
)
#: Where the certificates of this machine's registries may be named, best first.
CA_VARIABLES = ("HARNESS_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class BuildSettings:
    """`arguments` may hold secrets: they go to builder stages alone. `network` is the builds' network ("" Docker's)."""

    arguments: Mapping[str, str]
    ca_bundle: Path | None = None
    network: str = ""
    debian_mirror: str = ""
    base_image: str = ""


def read(environment: Mapping[str, str] = os.environ) -> BuildSettings:
    """The settings of this environment. Raises SpecError for a file or folder that isn't there.

    HARNESS_BUILD_ARGS names further variables to pass on (A,B,C), HARNESS_NETRC a .netrc for private registries,
    HARNESS_CA_BUNDLE their certificates, HARNESS_BUILD_NETWORK the builds' network (`host` where the bridge has no way
    out), HARNESS_DEBIAN_MIRROR debootstrap's mirror, HARNESS_BASE_IMAGE a Debian image with Python to start from where
    debootstrap can't run.
    """
    names = [*PASSED_ON, *filter(None, environment.get("HARNESS_BUILD_ARGS", "").replace(" ", "").split(","))]
    arguments = {name: environment[name] for name in names if environment.get(name)}
    if netrc := _existing(environment, "HARNESS_NETRC"):
        arguments["NETRC"] = netrc.read_text()
    return BuildSettings(
        arguments=arguments,
        ca_bundle=_ca_bundle(environment),
        network=environment.get("HARNESS_BUILD_NETWORK", ""),
        debian_mirror=environment.get("HARNESS_DEBIAN_MIRROR", ""),
        base_image=_base_image(environment),
    )


def _ca_bundle(environment: Mapping[str, str]) -> Path | None:
    own = _existing(environment, CA_VARIABLES[0])
    known = (Path(environment[name]) for name in CA_VARIABLES[1:] if environment.get(name))
    return own or next((path for path in known if path.is_file()), None)


def _base_image(environment: Mapping[str, str]) -> str:
    name = environment.get("HARNESS_BASE_IMAGE", "")
    return str(references.parse(name, where="HARNESS_BASE_IMAGE")) if name else ""


def _existing(environment: Mapping[str, str], name: str) -> Path | None:
    if not environment.get(name):
        return None
    path = Path(environment[name]).expanduser()
    if not path.exists():
        raise SpecError(f"there is no {path}", where=name)
    return path
