"""acl: who may pass by the labels of the consumer, or of a user that another plugin found outside."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, pcre
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.json_path import select
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_LABELS: Schema = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {".*": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
}
_PATH = re.compile(r"""\$?(?:\.{0,2}(?:[^.\[\]()]+|\*|\[(?:[^\[\]()]+|'[^']*'|"[^"]*"|\?\(.+\))\]))*""")
#: the note in which a plugin leaves an outside user (ctx.external_user)
EXTERNAL_USER = "external_user"


class Acl(Plugin):
    """Labels to deny come first, then labels to allow."""

    name = "acl"
    priority = 2410
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "external_user_label_field": {"type": "string", "default": "groups", "minLength": 1},
            "external_user_label_field_key": {"type": "string", "minLength": 1},
            "external_user_label_field_parser": {"type": "string", "enum": ["segmented_text", "json", "table"]},
            "external_user_label_field_separator": {"type": "string", "minLength": 1},
            "allow_labels": _LABELS,
            "deny_labels": _LABELS,
            "rejected_code": {"type": "integer", "minimum": 200, "default": 403},
            "rejected_msg": {"type": "string"},
        },
        "allOf": [
            {
                "if": {
                    "required": ["external_user_label_field_parser"],
                    "properties": {"external_user_label_field_parser": {"const": "segmented_text"}},
                },
                "then": {"required": ["external_user_label_field_separator"]},
            }
        ],
        "anyOf": [{"required": ["allow_labels"]}, {"required": ["deny_labels"]}],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The field is a JSON path."""
        path = conf["external_user_label_field"]
        if not _PATH.fullmatch(path):
            return f'invalid external_user_label_field: invalid expression "{path}"'
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        message = conf.get("rejected_msg", "The consumer is forbidden.")
        self._refusal = Exit(conf["rejected_code"], {"message": message})
        self._parser: str | None = conf.get("external_user_label_field_parser")
        self._path = conf["external_user_label_field"].removeprefix("$")

    def access(self, ctx: Context) -> Exit | None:
        """Refuse a caller with a denied label, or without an allowed one."""
        if ctx.consumer is not None:
            labels = {key: self._values(value, None) for key, value in ctx.consumer.labels.items()}
        elif user := ctx.notes.get(EXTERNAL_USER) or self._left_by_lua(ctx):
            labels = self._external(user)
        else:
            return Exit(401, {"message": "Missing authentication."})
        denied, allowed = self.conf.get("deny_labels"), self.conf.get("allow_labels")
        if denied and _shares(denied, labels):
            return self._refusal
        if allowed and not _shares(allowed, labels):
            return self._refusal
        return None

    def _left_by_lua(self, ctx: Context) -> Any:
        if not any(name.startswith("lua.") for name in ctx.notes):
            return None
        # a serverless function may have found the user; only then is Lua there already
        from harness.emulators.apisix.lua_effects import RequestLua

        return self.scope.keep("lua", lambda: RequestLua(self.scope)).left(ctx, EXTERNAL_USER)

    def _external(self, user: Any) -> dict[str, list[Any]]:
        key = self.conf.get("external_user_label_field_key") or self.conf["external_user_label_field"]
        found = select(user, self._path)
        if len(found) == 1:
            return {key: self._values(found[0], self._parser)}
        # several matches: each is parsed, but one that is no text parses itself
        parsers = [(value, self._parser if isinstance(value, str) else None) for value in found]
        return {key: [label for value, parser in parsers for label in self._values(value, parser)]}

    def _values(self, value: Any, parser: str | None) -> list[Any]:
        if parser is None:
            parser, separator = _guessed(value), ","
        else:
            separator = self.conf.get("external_user_label_field_separator", "")
        if parser == "table":
            return value if isinstance(value, list) else []
        if not isinstance(value, str):
            return []
        if parser == "json":
            return _json_list(value)
        return _split(value, separator) if parser == "segmented_text" else [value]


def _guessed(value: Any) -> str:
    if isinstance(value, list | dict):
        return "table"
    if isinstance(value, str) and value.startswith("["):
        return "json"
    return "segmented_text" if isinstance(value, str) and "," in value else "text"


def _json_list(value: str) -> list[Any]:
    try:
        found = lua_json.decode(value) if value.startswith("[") else []
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _split(value: str, separator: str) -> list[str]:
    try:
        pattern = pcre.compile(rf"\s*{separator}\s*")
    except ValueError:
        return []
    return [part for part in pattern.split(value) if part is not None]


def _shares(wanted: dict[str, list[str]], labels: dict[str, list[Any]]) -> bool:
    return any(value in labels.get(key, ()) for key, values in wanted.items() for value in values)
