"""The real Nacos server's images: its modules and their class path by Maven, standalone with the embedded store."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.engines.images import pins
from harness.engines.images.offline.sources import beside, dockerfile
from harness.engines.images.recipes import Context, Dockerfile, Recipe, Say
from harness.engines.images.settings import BuildSettings
from harness.errors import SpecError


@dataclass(frozen=True)
class Server:
    """One version of the server: the module with its main class, and the URL that says it is ready."""

    version: str
    module: str
    folder: str
    main: str
    properties: str
    ready: str


SERVERS = (
    Server(
        "3.0.3",
        "nacos-bootstrap",
        "bootstrap",
        "com.alibaba.nacos.bootstrap.NacosBootstrap",
        "application-3.properties",
        "http://127.0.0.1:8848/nacos/v3/admin/core/state/readiness",
    ),
    Server(
        "2.5.1",
        "nacos-console",
        "console",
        "com.alibaba.nacos.Nacos",
        "application-2.properties",
        "http://127.0.0.1:8848/nacos/v1/console/health/readiness",
    ),
)

#: Maven's own default registry serves the modules, or it doesn't: then a checkout does.
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bi.harness</groupId>
  <artifactId>nacos-server</artifactId>
  <version>{version}</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>com.alibaba.nacos</groupId><artifactId>{module}</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


def recipes(settings: BuildSettings) -> tuple[Recipe, ...]:
    """nacos-server-3 and nacos-server-2."""
    return tuple(_recipe(server, settings.nacos_source) for server in SERVERS)


def _recipe(server: Server, checkout: Path | None) -> Recipe:
    arguments = {
        "BUILDER_IMAGE": pins.JAVA_BUILDER,
        "RUNTIME_IMAGE": pins.JRE,
        "MODULE": server.folder,
        "MAIN_CLASS": server.main,
        "READY_URL": server.ready,
    }
    return Recipe(
        name=f"nacos-server-{server.version[0]}",
        tag=f"bi-harness/nacos-server:{server.version}",
        about=f"real {server.version}",
        how=Dockerfile(dockerfile("nacos-server"), arguments, prepare=partial(_source, checkout, server.version)),
        sources=partial(_sources, server),
        needs=("jre",),
        tools=("java-builder",),
        stand_in="nacos-emulator",
    )


def _sources(server: Server) -> Context:
    return {
        "pom.xml": POM.format(version=server.version, module=server.module).encode(),
        "application.properties": beside("nacos-server", server.properties),
        "start.sh": beside("nacos-server", "start.sh"),
    }


def _source(checkout: Path | None, version: str, folder: Path, say: Say) -> Context:
    """Nacos' own sources at the tag of this version; a mere marker without a checkout."""
    if checkout is None:
        return {"source/none": b""}
    say(f"sources of Nacos {version} from {checkout}")
    archive = subprocess.run(["git", "-C", str(checkout), "archive", version], capture_output=True, check=False)
    if archive.returncode:
        raise SpecError(
            f"no sources of Nacos {version} there: {archive.stderr.decode().strip()}",
            where=f"HARNESS_NACOS_SOURCE={checkout}",
            mend=f"name a clone of Nacos' repository that has the tag {version}",
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return {f"source/{path.relative_to(folder)}": path for path in folder.rglob("*") if path.is_file()}
