"""The real Nacos server's images: its modules and their class path by Maven, standalone with the embedded store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from harness.engines.images import pins
from harness.engines.images.offline.sources import beside, dockerfile
from harness.engines.images.recipes import Context, Dockerfile, Recipe
from harness.engines.images.settings import BuildSettings


@dataclass(frozen=True)
class Server:
    """One version of the server: the module with its main class, and the URL that says it is ready."""

    version: str
    module: str
    main: str
    properties: str
    ready: str


SERVERS = (
    Server(
        "3.0.3",
        "nacos-bootstrap",
        "com.alibaba.nacos.bootstrap.NacosBootstrap",
        "application-3.properties",
        "http://127.0.0.1:8848/nacos/v3/admin/core/state/readiness",
    ),
    Server(
        "2.5.1",
        "nacos-console",
        "com.alibaba.nacos.Nacos",
        "application-2.properties",
        "http://127.0.0.1:8848/nacos/v1/console/health/readiness",
    ),
)

#: The registry that Maven is set up for has the server's modules, or it doesn't: then the emulator plays Nacos' part.
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
    return tuple(map(_recipe, SERVERS))


def _recipe(server: Server) -> Recipe:
    arguments = {
        "BUILDER_IMAGE": pins.JAVA_BUILDER,
        "RUNTIME_IMAGE": pins.JRE,
        "MAIN_CLASS": server.main,
        "READY_URL": server.ready,
    }
    return Recipe(
        name=f"nacos-server-{server.version[0]}",
        tag=f"bi-harness/nacos-server:{server.version}",
        about=f"real {server.version}",
        how=Dockerfile(dockerfile("nacos-server"), arguments),
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
