"""The official clients that are driven: their versions, how they are built and started, and what they can't do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from official.builds import Build


@dataclass(frozen=True)
class Client:
    """One version of one SDK: `command` is what follows in the build's folder, `cannot` names what the SDK lacks."""

    name: str
    build: Build
    command: tuple[str, ...]
    cannot: Mapping[str, str] = field(default_factory=dict)
    #: An instance lives by heart-beats over HTTP, not by a gRPC connection.
    by_beats: bool = False

    def argv(self, folder: Path) -> list[str]:
        """The command that starts the program that was built in `folder`."""
        return [part.replace("{}", str(folder)) for part in self.command]


def _python(
    version: str, program: str, cannot: Mapping[str, str] = MappingProxyType({}), by_beats: bool = False
) -> Client:
    python = "{}/venv/bin/python"
    build = Build(
        name=f"python-{version}",
        sources="python",
        needs=(),
        steps=(
            (sys.executable, "-m", "venv", "venv"),
            ("venv/bin/python", "-m", "pip", "install", "-q", f"nacos-sdk-python=={version}"),
        ),
        about=sys.version,
    )
    return Client(f"python-{version}", build, (python, "{}/" + program), cannot, by_beats)


_NODE = Build("node", "node", ("node", "npm"), (("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"),))
_GO = Build("go", "go", ("go",), (("go", "build", "-trimpath", "-o", "program", "."),))
_MAVEN = ("mvn", "-q", "-B", "-T", "2", "compile", "dependency:copy-dependencies")
_JAVA = Build("java", "java", ("java", "javac", "mvn"), (_MAVEN,))


def _java(name: str, module: str) -> Client:
    #: A small heap and a quick start: several of these run side by side on two cores.
    options = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.home=.")
    classes = f"{{}}/{module}/target/classes:{{}}/{module}/target/dependency/*"
    return Client(name, _JAVA, ("java", *options, "-cp", classes, "Program"))


_HTTP_PYTHON_LACKS = {
    "cas": "publish_config has no md5 to compare with",
    "batch": "registers one instance at a time",
    "services": "has no call that lists services",
    "subscribe over a restart": "its subscription ends for good when one look at the server fails",
}
_NODE_LACKS = {
    "cas": "publishSingle has no md5 to compare with",
    "batch": "registers one instance at a time",
    "services": "the naming client has no public call that lists services",
}
_FIRST_PYTHON_LACKS = {**_HTTP_PYTHON_LACKS, "write with a password": "sends the password in GET requests alone"}

#: Those that take longest to build or to come back after a restart first: the workers take them in this order.
CLIENTS = [
    _java("java-2.5.1", "client-2"),
    Client("go-2.3.2", _GO, ("{}/program",)),
    _python("3.2.0", "grpc_sdk.py"),
    _python("2.0.11", "grpc_sdk.py"),
    Client("node-2.6.3", _NODE, ("node", "{}/program.js"), _NODE_LACKS, by_beats=True),
    _java("java-3.1.1", "client-3"),
    _python("1.0.0", "http_sdk.py", cannot=_HTTP_PYTHON_LACKS, by_beats=True),
    _python("0.1.14", "http_sdk.py", cannot=_FIRST_PYTHON_LACKS, by_beats=True),
]
