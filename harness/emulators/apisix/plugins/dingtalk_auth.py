"""dingtalk-auth: users who logged in at DingTalk."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.code_login import COMMON, CodeLogin, NoUser

_TEXT: Schema = {"type": "string", "minLength": 1}
#: the application's token lives for 7,200 s; it is renewed a little before
_TOKEN_KEPT = 7000
_NO_TOKEN = Exit(500, {"message": "Failed to obtain access token"})
_NO_USER = Exit(503, {"message": "Failed to obtain user info from DingTalk"})


class DingtalkAuth(CodeLogin):
    name = "dingtalk-auth"
    priority = 2430
    cookie = "dingtalk_session"
    encrypt_fields = ("app_secret", "secret", "secret_fallbacks")
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "app_key": _TEXT,
            "app_secret": _TEXT,
            "code_header": {**_TEXT, "default": "X-DingTalk-Code"},
            "code_query": {**_TEXT, "default": "code"},
            "userinfo_url": {**_TEXT, "default": "https://oapi.dingtalk.com/topapi/v2/user/getuserinfo"},
            "access_token_url": {**_TEXT, "default": "https://api.dingtalk.com/v1.0/oauth2/accessToken"},
            "redirect_uri": _TEXT,
            "timeout": {"type": "integer", "minimum": 1, "default": 6000},
            "cookie_expires_in": {"type": "integer", "minimum": 1, "default": 86400},
            **COMMON,
        },
        "required": ["app_key", "app_secret", "secret", "redirect_uri"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._tokens = scope.keep("dingtalk-auth.tokens", dict[str, tuple[str, float]])

    async def user_of(self, code: str) -> Any:
        """Ask with the application's token."""
        query = urlencode({"access_token": await self._token()})
        url = f"{self.conf['userinfo_url']}?{query}"
        told = await self.told("POST", url, [], {"code": code}, _NO_USER)
        if told.get("errcode") != 0:
            problem = f"unexpected error code: {told.get('errcode')}, errmsg: {told.get('errmsg')}"
            self.scope.log("warn", f"failed to get dingtalk userinfo: {problem}")
            raise NoUser(Exit(401, {"message": "Invalid authorization code"}))
        return told.get("result")

    async def _token(self) -> str:
        """The application's token, asked for once in a while."""
        conf = self.conf
        key = "#".join([conf["access_token_url"], conf["app_key"], conf["app_secret"]])
        token, until = self._tokens.get(key, ("", 0.0))
        if self.scope.clock.time() >= until:
            body = {"appKey": conf["app_key"], "appSecret": conf["app_secret"]}
            told = await self.told("POST", conf["access_token_url"], [], body, _NO_TOKEN)
            token = told.get("accessToken") or ""
            if not token:
                self.scope.log("error", "dingtalk token response missing accessToken")
                raise NoUser(_NO_TOKEN)
            self._tokens[key] = (token, self.scope.clock.time() + _TOKEN_KEPT)
        return token
