"""What a platform compiles to, as a document for people: YAML with headings, or JSON; secrets are masked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from harness.model.compile import compile_platform
from harness.model.platform import Platform
from harness.model.resources import Compiled, NacosConfig, Resource

MASK = "********"
#: Keys whose values are secrets wherever they stand.
SECRET_KEY = re.compile(r"(?i)(^|[_-])(secret|password|passwd|private[_-]?key|access[_-]?key|token)$")
_NAMED = r"[\"']?[\w.-]*(?:secret|password|passwd|private[_-]?key)[\"']?\s*[:=]\s*"
#: The same in texts: a line of its own, or a member of `{…}`.
SECRET_LINE = re.compile(rf"(?im)^([ \t]*(?:- )?{_NAMED})(?![|>])\S.*$")
SECRET_MEMBER = re.compile(rf"(?i)([{{,]\s*{_NAMED})(\"[^\"\n]*\"|'[^'\n]*'|[^\s,}}]+)")
PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
#: A secret shorter than this is masked only where it is the whole text: within others it may be chance.
SHORT = 6


def render(
    platform: Platform,
    addresses: Mapping[str, Sequence[str]] | None = None,
    *,
    format: str = "yaml",
    show_secrets: bool = False,
) -> str:
    """All Admin API resources and Nacos records of `platform` as text that ends with a newline.

    `format` is yaml or json (ValueError for another). Raises SpecError as `compile_platform` does.
    """
    compiled = compile_platform(platform, addresses)
    mask = Mask(() if show_secrets else platform.security.secret_values, not show_secrets)
    if format == "json":
        return json.dumps(as_data(compiled, mask), ensure_ascii=False, indent=2) + "\n"
    if format != "yaml":
        raise ValueError(f"a platform is rendered as yaml or json, not {format!r}")
    return "".join(_document(platform, compiled, mask))


class Mask:
    """Replaces secrets in plain data: known values anywhere, and whatever stands under a key that says so."""

    def __init__(self, values: Sequence[str], active: bool = True) -> None:
        self._values = sorted({value for value in values if value}, key=len, reverse=True)
        self._active = active

    def data(self, value: Any, key: str = "") -> Any:
        """Plain data without secrets."""
        if not self._active:
            return value
        if isinstance(value, Mapping):
            return {name: self.data(below, name) for name, below in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(below, key) for below in value]
        return self._text(value, key) if isinstance(value, str) else value

    def _text(self, text: str, key: str) -> str:
        if SECRET_KEY.search(key) or text in self._values:
            return MASK
        for value in self._values:
            if len(value) >= SHORT:
                text = text.replace(value, MASK)
        return PEM.sub(MASK, text)

    def content(self, text: str) -> str:
        """A configuration's text without secrets, whatever its format."""
        if not self._active:
            return text
        for value in self._values:
            for form in (value, value.replace("\n", "\\n")):
                text = text.replace(form, MASK) if len(form) >= SHORT else text
        text = SECRET_LINE.sub(rf"\g<1>{MASK}", PEM.sub(MASK, text))
        return SECRET_MEMBER.sub(rf"\g<1>{MASK}", text)


def as_data(compiled: Compiled, mask: Mask) -> dict[str, Any]:
    """Plain data: `apisix` kind → id → body, `nacos` namespaces and configs."""
    apisix: dict[str, dict[str, Any]] = {}
    for resource in compiled.resources:
        apisix.setdefault(resource.kind, {})[resource.id] = mask.data(resource.body)
    nacos = {
        "namespaces": [{"id": found.id, "name": found.name} for found in compiled.namespaces],
        "configs": [_config(found, mask) for found in compiled.configs],
    }
    return {"apisix": apisix, "nacos": nacos}


def _config(config: NacosConfig, mask: Mask) -> dict[str, Any]:
    found = {"namespace": config.namespace, "group": config.group, "dataId": config.data_id, "type": config.type}
    return {**found, "content": mask.content(config.content)}


def _document(platform: Platform, compiled: Compiled, mask: Mask) -> Iterator[str]:
    yield f"# {platform.name} in {platform.environment}\n"
    yield "apisix:\n"
    kind = ""
    for resource in compiled.resources:
        if resource.kind != kind:
            kind = resource.kind
            yield f"  {kind}:\n"
        yield f"    # PUT /apisix/admin/{kind}/{resource.id}{_remark(resource)}\n"
        yield _indented({resource.id: mask.data(resource.body)}, 4)
    yield "nacos:\n"
    data = as_data(Compiled((), compiled.namespaces, compiled.configs), mask)["nacos"]
    yield _indented({"namespaces": data["namespaces"]}, 2)
    yield "  configs:\n"
    for config in data["configs"]:
        yield f"    # {config['namespace']} / {config['group']} / {config['dataId']}\n"
        yield _indented([config], 4)


def _remark(resource: Resource) -> str:
    """A few words about where requests go; a resource given as it is may hold anything."""
    body = resource.body
    if resource.kind == "routes":
        hosts = f" on {_words(body['hosts'])}" if body.get("hosts") else ""
        target = body.get("service_id") or body.get("upstream_id") or "its own upstream"
        return f": {_words(body.get('uris') or body.get('uri'))}{hosts} → {target}"
    if resource.kind == "upstreams" and "service_name" in body:
        return f": instances of {body['service_name']} in Nacos"
    return ""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Long texts as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _indented(data: Any, by: int) -> str:
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    return "".join(" " * by + line if line.strip() else line for line in text.splitlines(keepends=True))


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
