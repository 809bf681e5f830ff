"""WHAT is declared: a platform file becomes frozen data, and that becomes APISIX resources and Nacos records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.model.compile import compile_platform
from harness.model.load import load_platform
from harness.model.platform import Platform, Service
from harness.model.problems import DeclarationError
from harness.model.resources import Compiled, NacosConfig, NacosNamespace, Resource

if TYPE_CHECKING:
    from harness.model.rendering import render

__all__ = [
    "Compiled",
    "DeclarationError",
    "NacosConfig",
    "NacosNamespace",
    "Platform",
    "Resource",
    "Service",
    "compile_platform",
    "load_platform",
    "render",
]


def __getattr__(name: str) -> Any:
    """`render` is read only by who asks for it."""
    if name == "render":
        from harness.model.rendering import render

        return render
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
