"""match_uri_encoded_slash: routes see %2F as a part of a segment; all that comes after sees $uri (init.lua)."""

from __future__ import annotations

import re
from typing import Any, Final

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.router import Miss, Router

_ENCODED: Final = re.compile("%([0-9A-Fa-f]{2})")
_SLASH: Final = re.compile("%2[Ff]")


class SlashKeepingRouter(Router):
    """A router that looks at the path with its encoded slashes left as they came."""

    def match(self, ctx: Context) -> Any | None:
        """As Router.match."""
        normalised = ctx.uri
        ctx.uri = matched_as(ctx.target, normalised)
        try:
            return super().match(ctx)
        finally:
            ctx.uri = normalised

    def wants_body(self, ctx: Context) -> bool:
        """As Router.wants_body."""
        normalised = ctx.uri
        ctx.uri = matched_as(ctx.target, normalised)
        try:
            return super().wants_body(ctx)
        finally:
            ctx.uri = normalised

    def explain(self, ctx: Context, limit: int = 20) -> list[Miss]:
        """As Router.explain."""
        normalised = ctx.uri
        ctx.uri = matched_as(ctx.target, normalised)
        try:
            return super().explain(ctx, limit)
        finally:
            ctx.uri = normalised


def matched_as(target: str, uri: str) -> str:
    """The path to match: `uri`, but with the encoded slashes of `target` kept.

    Only where decoding is all that made `uri` of the target: dot segments, merged slashes and absolute targets go by
    `uri` alone, so that nothing gets past a route that way.
    """
    path = target.partition("?")[0]
    if not _SLASH.search(path) or _ENCODED.sub(_decoded, path) != uri:
        return uri
    return _ENCODED.sub(_decoded_but_slashes, path)


def _decoded(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _decoded_but_slashes(found: re.Match[str]) -> str:
    return "%2F" if found[1] in ("2f", "2F") else _decoded(found)
