"""wolf-rbac: a wolf server knows the users and what they may do; its log-in is offered through public-api."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.match import arguments
from harness.emulators.apisix.match.expression import latin
from harness.emulators.apisix.plugins.auth import Refused, attach
from harness.emulators.apisix.plugins.base import Plugin, Schema, Scope

_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "appid": {"type": "string", "default": "unset"},
        "server": {"type": "string", "default": "http://127.0.0.1:12180"},
        "header_prefix": {"type": "string", "default": "X-"},
        "ssl_verify": {"type": "boolean"},
    },
}
_VERSION = "V1"
_JSON = ("Content-Type", "application/json; charset=utf-8")
_TRIES = 3
_PATH = "/apisix/plugin/wolf-rbac/"
_FAILED = "request to wolf-server failed!"


class WolfRbac(Plugin):
    """The token names an application, whose consumer knows the server to ask."""

    name = "wolf-rbac"
    priority = 2555
    type = "auth"
    schema: ClassVar[Schema] = _SCHEMA
    consumer_schema: ClassVar[Schema] = _SCHEMA
    consumer_key = "appid"

    async def rewrite(self, ctx: Context) -> Exit | None:
        """Ask the server whether the user may do this."""
        try:
            appid, token = _token(ctx.headers, ctx.query)
        except Refused as refused:
            return Exit(401, {"message": refused.message})
        consumers = self.scope.consumers(self.name)
        consumer = consumers.find(appid)
        if consumer is None:
            message = "Invalid appid in rbac token" if consumers else "Missing related consumer"
            return Exit(401, {"message": message})
        status, reason, user = await Wolf(self.scope, consumer).permission(ctx, appid, token)
        self._tell(ctx, str(consumer.auth_conf.get("header_prefix") or ""), user)
        if status != 200:
            shown = {"username": user.get("username"), "nickname": _nickname(user), "message": reason}
            return Exit(status, {name: value for name, value in shown.items() if value is not None})
        attach(ctx, consumer)
        return None

    def _tell(self, ctx: Context, prefix: str, user: Mapping[str, Any]) -> None:
        nickname = _nickname(user)
        told = {
            "UserId": user.get("id"),
            "Username": user.get("username"),
            "Nickname": None if nickname is None else uri_args.escape(nickname),
        }
        for name, value in told.items():
            ctx.headers.remove(prefix + name)
            if value is not None:
                ctx.headers.set(prefix + name, latin(str(value)))
                ctx.response.set(prefix + name, latin(str(value)))

    @classmethod
    def public_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """Log-in, change of password, and what is known of a user."""
        return {
            ("POST", _PATH + "login"): _app(scope, _login),
            ("PUT", _PATH + "change_pwd"): _app(scope, _change_password),
            ("GET", _PATH + "user_info"): _app(scope, _user_info),
        }


class Wolf:
    """The server that one consumer names."""

    def __init__(self, scope: Scope, consumer: ConsumerEntry) -> None:
        self._scope = scope
        self._server = str(consumer.auth_conf["server"])
        self._verify = consumer.auth_conf.get("ssl_verify") is True

    async def permission(self, ctx: Context, appid: str, token: str) -> tuple[int, str | None, Mapping[str, Any]]:
        """(status, reason, user): 200 when the user may; 500 when the server can't be asked."""
        args: dict[str, uri_args.Arg] = {
            "appID": appid,
            "resName": ctx.uri,
            "action": ctx.method,
            "clientIP": ctx.remote_addr,
        }
        path = f"/wolf/rbac/access_check?{uri_args.encode(args)}"
        try:
            answer = await self._patiently(path, token)
        except (OSError, TimeoutError) as error:
            return 500, f"request to wolf-server failed, err:{error}", {}
        if answer.status >= 500:
            return 500, f"request to wolf-server failed, status:{answer.status}", {}
        body = _json(answer.body)
        if body is None:
            return answer.status, "check permission failed! parse response json failed!", {}
        user = (body.get("data") or {}).get("userInfo")
        return answer.status, body.get("reason"), user if isinstance(user, dict) else {}

    async def _patiently(self, path: str, token: str) -> Response:
        headers = [("x-rbac-token", token), _JSON]
        for last in (False,) * (_TRIES - 1) + (True,):
            answer = await self._fetch("GET", path, headers, b"", 10.0)
            if answer.status < 500 or last:
                break
            await asyncio.sleep(0.1)
        return answer

    async def ask(self, method: str, path: str, token: str, body: Any) -> dict[str, Any]:
        """The data of an answer; raises Refused."""
        headers = [_JSON, *([("x-rbac-token", token)] if token else [])]
        try:
            answer = await self._fetch(method, path, headers, lua_json.encode(body), 5.0)
        except (OSError, TimeoutError) as error:
            raise Refused(_FAILED, str(error)) from error
        found = _json(answer.body) if answer.status == 200 else None
        if found is None:
            raise Refused(_FAILED, f"status {answer.status}")
        if not found.get("ok"):
            raise _Told(_FAILED, str(found.get("reason")))
        data = found.get("data")
        return data if isinstance(data, dict) else {}

    async def _fetch(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes, within: float
    ) -> Response:
        url = self._server + path
        return await self._scope.fetch(method, url, headers=headers, body=body, within=within, ssl_verify=self._verify)


class _Told(Refused):
    """The server said no: that is a 200 with a message."""


def _token(headers: Headers, query: str) -> tuple[str, str]:
    """(appid, the wolf server's token); raises Refused."""
    argument = arguments.first(query, "rbac_token")
    text = uri_args.unescape(argument) if isinstance(argument, str) else None
    text = text or headers.get("authorization") or headers.get("x-rbac-token")
    text = text or arguments.cookies("; ".join(headers.get_all("cookie"))).get("x-rbac-token")
    if text is None:
        raise Refused("Missing rbac token in request")
    parts = text.split("#", 2)
    if len(parts) != 3 or parts[0] != _VERSION:
        raise Refused("invalid rbac token: parse failed")
    return parts[1], parts[2]


def _nickname(user: Mapping[str, Any]) -> str | None:
    name = user.get("nickname") or user.get("username")
    return None if name is None else str(name).encode().decode("latin-1")


def _json(body: bytes | None) -> dict[str, Any] | None:
    try:
        found = lua_json.decode(body or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


# -- the API


def _app(scope: Scope, handler: Callable[[Scope, Request], Awaitable[dict[str, Any]]]) -> App:
    async def answer(request: Request) -> Response:
        try:
            return _answer(200, await handler(scope, request))
        except _Wrong as wrong:
            return _answer(wrong.status, {"message": wrong.message})
        except _Told as told:
            return _answer(200, {"message": told.message})
        except Refused as refused:
            scope.log("error", refused.reason)
            return _answer(500, {"message": refused.message})

    return answer


class _Wrong(Exception):
    """The request of the API is wrong."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(status, lua_json.encode(body) + b"\n", chunked=True)


def _arguments(request: Request) -> dict[str, Any]:
    if "application/json" in (request.headers.get("content-type") or ""):
        found = _json(request.body)
        if found is None:
            raise _Wrong(400, "invalid request")
        return found
    return dict(uri_args.parse(request.body.decode("latin-1")))


def _consumer(scope: Scope, appid: Any) -> ConsumerEntry:
    consumer = scope.consumers("wolf-rbac").find(str(appid))
    if consumer is None:
        raise _Wrong(400, "appid not found")
    return consumer


def _caller(request: Request) -> tuple[str, str]:
    try:
        return _token(request.headers, request.query)
    except Refused as refused:
        raise _Wrong(401, refused.message) from refused


async def _login(scope: Scope, request: Request) -> dict[str, Any]:
    args = _arguments(request)
    appid = args.get("appid")
    if not appid:
        raise _Wrong(400, "appid is missing")
    data = await Wolf(scope, _consumer(scope, appid)).ask("POST", "/wolf/rbac/login.rest", "", args)
    return {"rbac_token": f"{_VERSION}#{appid}#{data.get('token', '')}", "user_info": data.get("userInfo")}


async def _change_password(scope: Scope, request: Request) -> dict[str, Any]:
    args = _arguments(request)
    appid, token = _caller(request)
    await Wolf(scope, _consumer(scope, appid)).ask("POST", "/wolf/rbac/change_pwd", token, args)
    return {"message": "success to change password"}


async def _user_info(scope: Scope, request: Request) -> dict[str, Any]:
    appid, token = _caller(request)
    data = await Wolf(scope, _consumer(scope, appid)).ask("GET", "/wolf/rbac/user_info", token, {})
    return {"user_info": data.get("userInfo")}
