"""The configuration of openid-connect: its schema, what upstream checks beyond it, and what isn't emulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.schema.validate import Validator, is_secret_reference

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_OFF: Schema = {"type": "boolean", "default": False}
_ON: Schema = {"type": "boolean", "default": True}
_PRIVATE_JWK_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


def _milliseconds(default: int, minimum: int = 1) -> Schema:
    return {"type": "integer", "minimum": minimum, "default": default}


_REDIS: Schema = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "minLength": 2, "default": "127.0.0.1"},
        "port": {"type": "integer", "minimum": 1, "default": 6379},
        "username": {"type": "string", "minLength": 1},
        "password": {"type": "string", "minLength": 0},
        "database": {"type": "integer", "minimum": 0, "default": 0},
        "prefix": {"type": "string", "default": "sessions"},
        "ssl": _OFF,
        "ssl_verify": _ON,
        "server_name": _TEXT,
        "connect_timeout": _milliseconds(1000),
        "send_timeout": _milliseconds(1000),
        "read_timeout": _milliseconds(1000),
        "keepalive_timeout": _milliseconds(10000, 1000),
    },
}
_SESSION: Schema = {
    "type": "object",
    "properties": {
        "secret": {"type": "string", "minLength": 16},
        "cookie_name": _TEXT,
        "cookie_path": _TEXT,
        "cookie_domain": _TEXT,
        "cookie_secure": {"type": "boolean"},
        "cookie_http_only": {"type": "boolean"},
        "cookie_same_site": {"type": "string", "enum": ["Strict", "Lax", "None", "Default"]},
        "idling_timeout": _WHOLE,
        "rolling_timeout": _WHOLE,
        "absolute_timeout": _WHOLE,
        "cookie": {"type": "object", "properties": {"lifetime": _WHOLE}},
        "storage": {"type": "string", "enum": ["cookie", "redis"], "default": "cookie"},
        "redis": _REDIS,
    },
    "required": ["secret"],
    "if": {"properties": {"storage": {"enum": ["redis"]}}},
    "then": {"required": ["redis"]},
    "additionalProperties": False,
}
_CLAIMS: Schema = {
    "type": "object",
    "properties": {
        "issuer": {"type": "object", "properties": {"valid_issuers": {"type": "array", "items": _TEXT}}},
        "audience": {
            "type": "object",
            "properties": {
                "claim": {"type": "string", "default": "aud"},
                "required": _OFF,
                "match_with_client_id": _OFF,
            },
        },
    },
}
_PAR: Schema = {
    "type": "object",
    "properties": {
        "enabled": _OFF,
        "endpoint": _TEXT,
        "endpoint_auth_method": {
            "type": "string",
            "enum": ["client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt"],
        },
    },
    "additionalProperties": False,
}
_DPOP: Schema = {
    "type": "object",
    "properties": {
        "enabled": _OFF,
        "signing_alg": {"type": "string", "enum": ["ES256", "RS256", "PS256"], "default": "ES256"},
        "private_key": _TEXT,
        "public_jwk": {
            "type": "object",
            "not": {"anyOf": [{"required": [member]} for member in _PRIVATE_JWK_MEMBERS]},
        },
    },
    "if": {"properties": {"enabled": {"const": True}}},
    "then": {"required": ["private_key", "public_jwk"]},
    "additionalProperties": False,
}
_PROXIES = ("http_proxy", "https_proxy", "http_proxy_authorization", "https_proxy_authorization", "no_proxy")

SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "client_id": _TEXT,
        "client_secret": _TEXT,
        "discovery": _TEXT,
        "scope": {"type": "string", "default": "openid"},
        "ssl_verify": _ON,
        "timeout": {"type": "integer", "minimum": 1, "default": 3},
        "introspection_endpoint": _TEXT,
        "introspection_endpoint_auth_method": {"type": "string", "default": "client_secret_basic"},
        "token_endpoint_auth_method": {"type": "string", "default": "client_secret_basic"},
        "bearer_only": _OFF,
        "session": _SESSION,
        "realm": {"type": "string", "default": "apisix"},
        "claim_validator": _CLAIMS,
        "logout_path": {"type": "string", "default": "/logout"},
        "redirect_uri": _TEXT,
        "post_logout_redirect_uri": _TEXT,
        "unauth_action": {"type": "string", "default": "auth", "enum": ["auth", "deny", "pass"]},
        "public_key": _TEXT,
        "use_jwks": _OFF,
        "token_signing_alg_values_expected": _TEXT,
        "use_pkce": _OFF,
        "par": _PAR,
        "dpop": _DPOP,
        "set_access_token_header": _ON,
        "access_token_in_authorization_header": _OFF,
        "set_id_token_header": _ON,
        "set_raw_id_token_header": _OFF,
        "set_userinfo_header": _ON,
        "set_refresh_token_header": _OFF,
        "proxy_opts": {"type": "object", "properties": dict.fromkeys(_PROXIES, _TEXT)},
        "authorization_params": {"type": "object"},
        "client_rsa_private_key": _TEXT,
        "client_rsa_private_key_id": _TEXT,
        "client_jwt_assertion_expires_in": {"type": "integer", "default": 60},
        "client_jwt_assertion_alg": {
            "type": "string",
            "enum": ["HS256", "HS512", "RS256", "RS512", "ES256", "ES512"],
        },
        "client_jwt_assertion_audience": _TEXT,
        "renew_access_token_on_expiry": _ON,
        "access_token_expires_in": _WHOLE,
        "refresh_session_interval": _WHOLE,
        "iat_slack": {"type": "integer", "default": 120},
        "accept_none_alg": _OFF,
        "accept_unsupported_alg": _ON,
        "access_token_expires_leeway": {"type": "integer", "default": 0},
        "force_reauthorize": _OFF,
        "use_nonce": _OFF,
        "revoke_tokens_on_logout": _OFF,
        "jwk_expires_in": {"type": "integer", "default": 86400},
        "jwt_verification_cache_ignore": _OFF,
        "cache_segment": _TEXT,
        "introspection_interval": {"type": "integer", "default": 0},
        "introspection_expiry_claim": _TEXT,
        "introspection_addon_headers": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": "^[^:]+$"},
        },
        "required_scopes": {"type": "array", "items": _TEXT},
        "claim_schema": {"type": "object"},
    },
    "required": ["client_id", "discovery"],
}
ENCRYPTED = (
    "client_secret",
    "client_rsa_private_key",
    "dpop.private_key",
    "session.secret",
    "session.redis.password",
)
_RESERVED = {
    "use_par": "par.enabled",
    "pushed_authorization_request_endpoint": "par.endpoint",
    "pushed_authorization_request_endpoint_auth_method": "par.endpoint_auth_method",
    "use_dpop": "dpop.enabled",
    "dpop_signing_alg": "dpop.signing_alg",
    "dpop_private_key": "dpop.private_key",
    "dpop_public_jwk": "dpop.public_jwk",
}
_METHODS = ("client_secret_basic", "client_secret_post")


def problem_before_schema(conf: Mapping[str, Any]) -> str | None:
    """What openid-connect.lua looks at before the schema."""
    if not conf.get("bearer_only") and not conf.get("session"):
        return 'property "session.secret" is required when "bearer_only" is false'
    if conf.get("bearer_only"):
        keyless = conf.get("introspection_endpoint_auth_method") == "private_key_jwt"
        optional = conf.get("public_key") or conf.get("use_jwks") or keyless
    else:
        optional = conf.get("token_endpoint_auth_method") == "private_key_jwt" or conf.get("use_pkce")
    return None if optional or conf.get("client_secret") else 'property "client_secret" is required'


def problem_after_schema(conf: Mapping[str, Any]) -> str | None:
    """What is looked at after the schema, and what this emulator can't do."""
    claims = conf.get("claim_schema")
    if claims is not None and not is_secret_reference(claims):
        try:
            Validator(claims)
        except ValueError as error:
            return f"check claim_schema failed: {error}"
    for name, owner in _RESERVED.items():
        if name in conf:
            return f'property "{name}" is not allowed, use "{owner}" instead'
    return _not_emulated(conf)


def _not_emulated(conf: Mapping[str, Any]) -> str | None:
    wrong = [
        name
        for name, wanted in (
            ("par.enabled", (conf.get("par") or {}).get("enabled")),
            ("dpop.enabled", (conf.get("dpop") or {}).get("enabled")),
            ("session.storage redis", (conf.get("session") or {}).get("storage") == "redis"),
            ("proxy_opts", conf.get("proxy_opts")),
            ("revoke_tokens_on_logout", conf.get("revoke_tokens_on_logout")),
            ("refresh_session_interval", conf.get("refresh_session_interval")),
            ("introspection_endpoint_auth_method", conf["introspection_endpoint_auth_method"] not in _METHODS),
            ("token_endpoint_auth_method", conf["token_endpoint_auth_method"] not in _METHODS),
        )
        if wanted
    ]
    return f"{wrong[0]} of openid-connect is not emulated" if wrong else None
