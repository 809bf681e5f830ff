"""The official Nacos SDK (`v2.nacos`), imported without the parts that a stand-in never uses.

A plain `import v2.nacos` takes about a second of CPU, most of it for two corners: the client of Alibaba Cloud's key
service, which decrypts `cipher-*` configurations (`config/filter/config_encryption_filter.py`, needed only when
`kms_config.enabled`), and the models of the AI registry (`ai/model/ai_response.py` with the `a2a` package, named in
`transport/grpc_util.py` only to parse answers to AI requests). While the SDK is imported, placeholders stand for
these two modules; afterwards they leave `sys.modules`, so that whoever imports the real ones later gets them. Using a
placeholder raises. aiohttp serves the login alone: its placeholder fetches the real module at the first use. The
SDK itself is untouched, but for `stay_on_the_loopback`.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

NEVER_USED = ("v2.nacos.config.filter.config_encryption_filter", "v2.nacos.ai.model.ai_response")
AT_FIRST_USE = "aiohttp"
CERTIFICATES = "SSL_CERT_FILE"


def _left_out(module: str, name: str) -> type:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError(f"{module}.{name} is left out of the stand-ins (see stubs/common/sdk.py)")

    return type(name, (), {"__init__": refuse, "model_validate": staticmethod(refuse)})


def _placeholder(module: str) -> ModuleType:
    found = ModuleType(module)

    def getattr_(name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _left_out(module, name)

    found.__dict__["__getattr__"] = getattr_
    return found


def _deferred(module: str) -> ModuleType:
    found = ModuleType(module)

    def getattr_(name: str) -> Any:
        if sys.modules.get(module) is found:
            del sys.modules[module]
        return getattr(importlib.import_module(module), name)

    found.__dict__["__getattr__"] = getattr_
    return found


def _import_sdk() -> ModuleType:
    standing_in = [name for name in NEVER_USED if name not in sys.modules]
    sys.modules.update({name: _placeholder(name) for name in standing_in})
    if AT_FIRST_USE not in sys.modules:
        sys.modules[AT_FIRST_USE] = _deferred(AT_FIRST_USE)
        standing_in.append(AT_FIRST_USE)
    try:
        return importlib.import_module("v2.nacos")
    finally:
        for name in standing_in:
            sys.modules.pop(name, None)


nacos = _import_sdk()


def stay_on_the_loopback() -> None:
    """Let the SDK work on a machine without a network.

    It writes the first address that isn't a loopback one into each request (`utils/net_util.py`) and refuses to work
    where there is none: on a laptop in flight mode, in a bare network namespace.
    """
    utils = importlib.import_module("v2.nacos.utils.net_util")
    try:
        utils.NetUtils.get_local_ip()
    except nacos.NacosException:
        utils.NetUtils.get_local_ip = staticmethod(lambda: "127.0.0.1")


def preload_login() -> None:
    """Import what a login needs (aiohttp): for a parent that forks replicas with Nacos credentials.

    aiohttp reads the system's certificates for a TLS context while it is imported (60 ms). The replicas speak plain
    HTTP to Nacos, so OpenSSL is shown an empty file instead.
    """
    if AT_FIRST_USE in sys.modules:
        return
    found = os.environ.get(CERTIFICATES)
    os.environ[CERTIFICATES] = os.devnull
    try:
        importlib.import_module(AT_FIRST_USE)
    finally:
        del os.environ[CERTIFICATES]
        if found is not None:
            os.environ[CERTIFICATES] = found


__all__ = ["nacos", "preload_login", "stay_on_the_loopback"]
