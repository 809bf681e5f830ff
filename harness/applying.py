"""Applies a platform to a Nacos and a gateway that run already: `python -m harness.applying platform.yaml --env dev`.

APISIX_ADMIN and APISIX_ADMIN_KEY say where the gateway's Admin API is; NACOS is http://user:password@host:port.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from harness.clients import ApisixClient, NacosClient
from harness.clients.nacos import set_first_password
from harness.errors import HarnessError, SpecError
from harness.model import compile_platform, load_platform
from harness.wait import until

#: Seconds that the servers get to answer.
PATIENCE = 120.0


def apply(platform: Path, environment: str, variables: Mapping[str, str]) -> None:
    """Configurations first, then routes. Raises SpecError, NotReady, RemoteError."""
    compiled = compile_platform(load_platform(platform, environment))
    nacos = _nacos(variables)
    nacos.apply(compiled.namespaces, compiled.configs)
    gateway = ApisixClient(_told(variables, "APISIX_ADMIN"), _told(variables, "APISIX_ADMIN_KEY"))
    until(lambda: gateway.list("routes") is not None, PATIENCE, awaited="the gateway's Admin API")
    gateway.apply(compiled.resources)


def _nacos(variables: Mapping[str, str]) -> NacosClient:
    at = urlsplit(_told(variables, "NACOS"))
    url = f"{at.scheme}://{at.hostname}:{at.port}"
    client = NacosClient(url, username=at.username or "", password=at.password or "")

    def answers() -> bool:
        try:
            return bool(client.namespaces())
        except HarnessError as error:
            set_first_password(url, at.password or "")
            raise OSError(str(error)) from error  # not yet: it is starting, or has the password only from now on

    until(answers, PATIENCE, awaited=f"Nacos at {url}")
    return client


def _told(variables: Mapping[str, str], name: str) -> str:
    if name not in variables:
        raise SpecError(f"{name} isn't set", mend="see `python -m harness.applying --help`")
    return variables[name]


def main() -> None:
    """Entry point of the module."""
    parser = argparse.ArgumentParser(prog="harness.applying", description=__doc__)
    parser.add_argument("platform", type=Path)
    parser.add_argument("--env", default="dev")
    given = parser.parse_args()
    apply(given.platform, given.env, os.environ)
    print("applied")


if __name__ == "__main__":
    main()
