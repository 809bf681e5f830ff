"""Reads a Nacos configuration's declaration: a file, a content, or a content laid over a file."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from harness.errors import SpecError
from harness.model import tree
from harness.model.overlay import laid_over
from harness.model.platform import Config
from harness.model.reader import Reader
from harness.model.sources import Sources
from harness.model.tree import Node, Scalar, Table

TYPES = ("yaml", "json", "properties", "text", "xml", "html", "toml")
SUFFIXES = {"yml": "yaml", **{name: name for name in TYPES if name != "text"}}
#: The server's own rule for groups and data IDs.
NACOS_NAME = r"[A-Za-z0-9_.:-]+"

Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_config(data_id: str, reader: Reader, namespace: str, group: str, sources: Sources) -> Config:
    """One configuration; its content is made now, so that a bad file is a mistake of the declaration."""
    data_id = reader.text("data_id", data_id)
    if not re.fullmatch(NACOS_NAME, data_id):
        reader.problem(None, f"the data ID {data_id!r} has characters besides letters, digits and '-_.:'")
    kind = reader.choice("type", SUFFIXES.get(data_id.rpartition(".")[2], "text"), TYPES)
    config = Config(
        data_id=data_id,
        group=reader.text("group", group, pattern=NACOS_NAME, means="a Nacos group", fill=True),
        namespace=reader.text("namespace", namespace, pattern=r"[\w-]+", means="a Nacos namespace ID", fill=True),
        type=kind,
        description=reader.text("description"),
        content=_content(reader, kind, sources),
    )
    reader.done()
    return config


def _content(reader: Reader, kind: str, sources: Sources) -> str:
    file, given = reader.text("file", fill=True), reader.node("content")
    if not file and given is None:
        reader.problem(None, "neither file nor content", "give one, or both: content is laid over the file's")
        return ""
    text = _file(reader, file, sources) if file else ""
    if kind not in ("yaml", "json"):
        return _text(reader, text, given)
    parsed = _parsed(reader, text, file, kind)
    if isinstance(given, Scalar):
        return _text(reader, text, given)
    if given is None and "${secret:" not in text:
        return text  # as it stands, with its comments
    return _dumped(reader, _merged(reader, parsed, given), kind)


def _file(reader: Reader, name: str, sources: Sources) -> str:
    try:
        return (sources.directory / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        reader.problem("file", f"{name} can't be read: {reason}", f"it is looked for in {sources.directory}")
        return ""


def _text(reader: Reader, text: str, given: Node | None) -> str:
    if given is None:
        return str(reader.context.with_secrets(text, reader.where("file"), reader.at("file")))
    if not isinstance(given, Scalar):
        reader.problem("content", "text is expected: only yaml and json may be given as a mapping")
        return ""
    if text:
        reader.problem("content", "text can't be laid over a file", "remove file, or give a mapping")
    return str(reader.context.with_secrets(given.text, given.where, reader.at("content")))


def _parsed(reader: Reader, text: str, file: str, kind: str) -> Node | None:
    """The file's content as a tree, None where there is no file or it isn't what its type says."""
    if not text:
        return None
    try:
        # JSON may be indented with tabs, which YAML forbids
        return tree.parse(json.dumps(json.loads(text)) if kind == "json" else text, file, reader.problems)
    except SpecError as error:
        reader.problems.add(error.where, reader.at("file"), error.what, error.mend)
    except ValueError as error:
        reader.problem("file", f"{file} is not JSON: {error}")
    return None


def _merged(reader: Reader, parsed: Node | None, given: Node | None) -> Any:
    if given is None or parsed is None:
        node = given or parsed
    elif isinstance(parsed, Table) and isinstance(given, Table):
        node = laid_over(parsed, given, reader.problems, reader.at("content"))
    else:
        reader.problem("content", "only a mapping can be laid over a mapping")
        node = given
    if node is None:
        return {}
    return reader.context.with_secrets(
        tree.plain(node, reader.at("content"), reader.problems), node.where, reader.at("content")
    )


def _dumped(reader: Reader, data: Any, kind: str) -> str:
    if kind == "json":
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120))
