"""error-page: pages of the metadata in place of the gateway's own errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Plugin, Schema

_PAGE = "error-page"
_TITLES = {
    404: "404 Not Found",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
}


def _default(title: str) -> str:
    head = f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n"
    return f"{head}<hr><center>Apache APISIX</center>\n</body>\n</html>"


class ErrorPage(Plugin):
    """A status that the metadata doesn't name keeps its page; so does whatever an upstream answered."""

    name = "error-page"
    priority = 450
    schema: ClassVar[Schema] = {}
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "enable": {"type": "boolean", "default": False},
            **{
                f"error_{status}": {
                    "type": "object",
                    "properties": {
                        "body": {"type": "string", "default": _default(title)},
                        "content_type": {"type": "string", "default": "text/html"},
                    },
                }
                for status, title in _TITLES.items()
            },
        },
    }

    def header_filter(self, ctx: Context) -> None:
        """Choose the page."""
        if ctx.from_upstream or ctx.status < 404:
            return
        page = self._page(ctx.status)
        if page is None:
            return
        body = str(page.get("body", _default(_TITLES[ctx.status]))).encode()
        if not body:
            return
        ctx.notes[_PAGE] = body
        ctx.response.set("Content-Type", page.get("content_type", "text/html"))
        ctx.response.set("Content-Length", str(len(body)))

    def _page(self, status: int) -> Mapping[str, Any] | None:
        metadata = self.scope.metadata(self.name) or {}
        return metadata.get(f"error_{status}") if metadata.get("enable") and status in _TITLES else None

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """The page in place of the first piece."""
        page: bytes | None = ctx.notes.get(_PAGE)
        if page is None:
            return chunk
        ctx.notes[_PAGE] = b""
        return page
