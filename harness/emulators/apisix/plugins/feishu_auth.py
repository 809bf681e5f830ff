"""feishu-auth: users who logged in at Feishu."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.code_login import COMMON, CodeLogin, NoUser

_TEXT: Schema = {"type": "string", "minLength": 1}
_ORIGIN = "https://open.feishu.cn/open-apis/authen"
_INVALID = Exit(401, {"message": "Invalid authorization code"})


class FeishuAuth(CodeLogin):
    name = "feishu-auth"
    priority = 2420
    cookie = "feishu_session"
    encrypt_fields = ("app_secret", "secret", "secret_fallbacks")
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "app_id": _TEXT,
            "app_secret": _TEXT,
            "code_header": {"type": "string", "default": "X-Feishu-Code"},
            "code_query": {"type": "string", "default": "code"},
            "userinfo_url": {"type": "string", "default": f"{_ORIGIN}/v1/user_info"},
            "access_token_url": {"type": "string", "default": f"{_ORIGIN}/v2/oauth/token"},
            "auth_redirect_uri": {"type": "string"},
            "redirect_uri": {"type": "string"},
            "timeout": {"type": "integer", "default": 6000},
            "cookie_expires_in": {"type": "integer", "default": 86400},
            **COMMON,
        },
        "required": ["app_id", "app_secret", "secret", "auth_redirect_uri", "redirect_uri"],
    }

    async def user_of(self, code: str) -> Any:
        """Exchange the code for a token, and that for the user."""
        conf = self.conf
        body = {
            "grant_type": "authorization_code",
            "client_id": conf["app_id"],
            "client_secret": conf["app_secret"],
            "redirect_uri": conf["auth_redirect_uri"],
            "code": code,
        }
        told = await self.told("POST", conf["access_token_url"], [], body, _INVALID)
        token = told.get("access_token")
        if not token or not isinstance(told.get("expires_in"), int | float):
            self.scope.log("error", "feishu token response missing access_token or expires_in")
            raise NoUser(_INVALID)
        user = await self.told("GET", conf["userinfo_url"], [("Authorization", f"Bearer {token}")], None, _INVALID)
        if user.get("code") != 0:
            self.scope.log("warn", f"failed to get feishu userinfo: {user.get('msg')}")
            raise NoUser(_INVALID)
        return user.get("data")
