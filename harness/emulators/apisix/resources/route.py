"""Routes."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.lua_source import evaluated_type
from harness.emulators.apisix.match import expression, json_path
from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused, check_plugins, check_references
from harness.emulators.apisix.resources.upstream import (
    UPSTREAM,
    check_inner_upstream,
    encrypt_upstream,
)
from harness.emulators.apisix.schema.common import (
    ENABLE_WEBSOCKET,
    HOST,
    ID,
    METADATA,
    METHOD,
    PLUGINS,
    REMOTE_ADDR,
    SCRIPT,
    TIMEOUT,
    Schema,
    integer,
    listed,
    obj,
    requires,
    text,
)


def _one_or_neither(one: str, several: str) -> Schema:
    neither: Schema = {"not": {"anyOf": [requires(one), requires(several)]}}
    return {"oneOf": [neither, requires(one), requires(several)]}


_TARGETS = ("plugins", "upstream", "upstream_id", "service_id")

ROUTE: Schema = obj(
    {
        **METADATA,
        "uri": text(minLength=1, maxLength=4096),
        "uris": listed({"description": "HTTP uri", "type": "string"}, minItems=1, uniqueItems=True),
        "priority": integer(default=0),
        "methods": listed(METHOD, uniqueItems=True),
        "host": HOST,
        "hosts": listed(HOST, minItems=1, uniqueItems=True),
        "remote_addr": REMOTE_ADDR,
        "remote_addrs": listed(REMOTE_ADDR, minItems=1, uniqueItems=True),
        "timeout": TIMEOUT,
        "vars": {"type": "array"},
        "filter_func": text(minLength=10, pattern="^function"),
        "script": SCRIPT,
        "script_id": ID,
        "plugins": PLUGINS,
        "plugin_config_id": ID,
        "upstream": UPSTREAM,
        "service_id": ID,
        "upstream_id": ID,
        "enable_websocket": ENABLE_WEBSOCKET,
        "status": {"description": "route status, 1 to enable, 0 to disable", **integer(enum=[1, 0], default=1)},
    },
    allOf=[
        {"oneOf": [requires("uri"), requires("uris")]},
        _one_or_neither("host", "hosts"),
        _one_or_neither("remote_addr", "remote_addrs"),
    ],
    anyOf=[
        *(requires(target, "uri") for target in _TARGETS),
        *(requires(target, "uris") for target in _TARGETS),
        requires("script", "uri"),
        requires("script", "uris"),
    ],
    additionalProperties=False,
)
ROUTE["not"] = {"anyOf": [requires("script", "plugins"), requires("script", "plugin_config_id")]}


class Routes(Kind):
    """What requests match, and where they go."""

    directory = "routes"
    label = "route"
    schema_name = "route"
    schema = ROUTE
    filters = ("service_id", "upstream_id")

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        check_not_both(conf, "host", "hosts")
        check_not_both(conf, "remote_addr", "remote_addrs")
        self.check_schema(conf)
        await check_inner_upstream(conf.get("upstream"), desk, occasion)
        if occasion.references:
            await check_references(conf, ("upstream_id", "service_id", "plugin_config_id"), desk)
        check_plugins(conf, desk)
        check_vars(conf.get("vars"))
        check_lua(conf, "filter_func", "return ", "function", "'filter_func' should be a function")
        check_lua(conf, "script", "", "table", "'script' should be a Lua object")

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        encrypt_upstream(conf.get("upstream"), desk)
        desk.plugins.encrypt(conf.get("plugins"), desk.keyring)


def check_not_both(conf: Any, one: str, several: str) -> None:
    """Raise Refused when both members are given."""
    if isinstance(conf, dict) and conf.get(one) and conf.get(several):
        raise Refused(f"only one of {one} or {several} is allowed")


def check_vars(rule: Any) -> None:
    """Raise Refused for an expression that lua-resty-expr would not take."""
    if rule is None:
        return
    reason = expression.check(rule) or _post_arg_problem(rule)
    if reason is not None:
        raise Refused(f"failed to validate the 'vars' expression: {reason}")


def _post_arg_problem(rule: Any) -> str | None:
    if not isinstance(rule, list):
        return None
    if len(rule) >= 3 and isinstance(rule[0], str) and rule[0].startswith("post_arg."):
        return None if json_path.is_valid(rule[0].removeprefix("post_arg.")) else "invalid expression"
    return next((reason for child in rule if (reason := _post_arg_problem(child))), None)


def check_lua(conf: dict[str, Any], member: str, before: str, expected: str, otherwise: str) -> None:
    """Raise Refused unless the Lua source in `member` compiles and evaluates to what is expected."""
    source = conf.get(member)
    if source is None:
        return
    reason, kind = evaluated_type(before + source)
    if reason is not None:
        raise Refused(f"failed to load '{member}' string: {reason}")
    if kind != expected:
        raise Refused(otherwise)
