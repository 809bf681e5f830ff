"""A platform file and one environment's overlay → Platform; all mistakes are told in one error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from harness.errors import SpecError
from harness.model import tree
from harness.model.overlay import laid_over
from harness.model.platform import Config, Nacos, Platform, Service
from harness.model.problems import Problems, near
from harness.model.read_config import read_config
from harness.model.read_gateway import check_defaults
from harness.model.read_security import read_security
from harness.model.read_service import NAME, Surroundings, read_service
from harness.model.reader import Context, Reader, kind_of
from harness.model.references import check_references
from harness.model.resources import KINDS
from harness.model.sources import Sources
from harness.model.tree import Node, Scalar, Table

#: What an overlay can't change: it would say who it is itself.
FIXED = ("name", "environments")
DEFAULT_ENVIRONMENT = "dev"


def load_platform(
    path: Path | str, environment: str = DEFAULT_ENVIRONMENT, *, environ: Mapping[str, str] | None = None
) -> Platform:
    """Read the platform file as `environment` has it.

    `environ` gives the variables that `${NAME}` refers to (default: the process's own). Paths in the file are
    relative to it. Raises SpecError naming file, line, key and mend of every mistake.
    """
    file = Path(path)
    problems = Problems()
    root = _table(tree.read(file, str(path), problems), problems)
    names, overlay = _overlay(root, file, environment, problems)
    if overlay is not None:
        root = laid_over(root, overlay, problems)
    sources = Sources(environment, file.resolve().parent, os.environ if environ is None else environ, os.urandom)
    reader = Reader(root, "", Context(problems, sources.lookup))
    platform = _platform(reader, environment, names, sources)
    problems.check()
    return platform


def _table(node: Node, problems: Problems) -> Table:
    if isinstance(node, Table):
        return node
    problems.add(node.where, "", f"a platform is a mapping, not {kind_of(node)}")
    problems.check()
    raise AssertionError("unreachable")


# --- environments


def _overlay(root: Table, file: Path, environment: str, problems: Problems) -> tuple[tuple[str, ...], Table | None]:
    """The environments' names, and the overlay of the chosen one (None where nothing differs)."""
    declared = root.entries.get("environments")
    if declared is None:
        return (environment,), None
    if not isinstance(declared, Table):
        problems.add(declared.where, "environments", f"a mapping is expected, not {kind_of(declared)}")
        return (environment,), None
    if environment not in declared.entries:
        mend = near(environment, declared.entries)
        raise SpecError(f"the platform has no environment {environment!r}", where=declared.where, mend=mend)
    path = f"environments.{environment}"
    overlay = _overlay_table(declared.entries[environment], file, path, problems)
    for key in FIXED:
        if overlay is not None and key in overlay.entries:
            problems.add(overlay.places[key], key, "an overlay can't change this")
    return tuple(declared.entries), overlay


def _overlay_table(node: Node, file: Path, path: str, problems: Problems) -> Table | None:
    """An overlay stands in place, or is a file named relative to the platform file."""
    if isinstance(node, Scalar) and node.kind == "str":
        overlay = file.parent / node.text
        if not overlay.is_file():
            problems.add(node.where, path, f"there is no file {node.text}", f"it is looked for in {file.parent}")
            return None
        node = tree.read(overlay, str(overlay), problems)
    if isinstance(node, Table):
        return node
    problems.add(node.where, path, f"an overlay's file name or a mapping is expected, not {kind_of(node)}", "write {}")
    return None


# --- sections


def _platform(reader: Reader, environment: str, names: tuple[str, ...], sources: Sources) -> Platform:
    reader.node("environments")
    reader.require("name", "the platform's name")
    security = read_security(reader.below("security"), sources)  # first: the others may refer to its secrets
    nacos = _nacos(reader.below("nacos"), sources)
    platform = Platform(
        name=reader.text("name", pattern=NAME, means="a name of a-z, 0-9 and '-'"),
        environment=environment,
        environments=names,
        directory=sources.directory,
        services=_services(reader, nacos, sources),
        security=security,
        nacos=nacos,
        global_rules=reader.objects("global_rules"),
        apisix=_apisix(reader.below("apisix")),
    )
    reader.done()
    check_references(platform, reader)
    return platform


def _nacos(reader: Reader, sources: Sources) -> Nacos:
    namespace = reader.text("namespace", "public", pattern=r"[\w-]+", means="a namespace ID", fill=True)
    group = reader.text("group", "DEFAULT_GROUP", pattern=r"[\w.:-]+", means="a group", fill=True)
    configs = reader.each("configs", partial(_shared_config, namespace=namespace, group=group, sources=sources))
    reader.done()
    return Nacos(namespace, group, tuple(configs.values()))


def _shared_config(name: str, reader: Reader, *, namespace: str, group: str, sources: Sources) -> Config:
    return read_config(name, reader, namespace, group, sources)


def _services(reader: Reader, nacos: Nacos, sources: Sources) -> Mapping[str, Service]:
    defaults = reader.node("gateway")
    if defaults is not None:
        check_defaults(Reader(defaults, "gateway", reader.context))
    table = defaults if isinstance(defaults, Table) else tree.empty(reader.where())
    around = Surroundings(sources, table, nacos.namespace, nacos.group)
    reader.require("services", "at least one service")
    return reader.each("services", partial(read_service, around=around))


def _apisix(reader: Reader) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """Resources as they are: kind → id → body."""
    found = {}
    for kind in KINDS:
        if reader.has(kind):
            found[kind] = reader.objects(kind)
    for kind in reader.names():
        if kind not in KINDS:
            reader.problem(kind, "the Admin API has no such kind of resource", near(kind, KINDS))
    return found
