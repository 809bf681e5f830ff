"""match_uri_encoded_slash: which path routes are shown."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.match.encoded_slash import matched_as


@pytest.mark.parametrize(
    ("target", "uri", "seen"),
    [
        ("/a%2Fb/c", "/a/b/c", "/a%2Fb/c"),
        ("/a%2fb/c", "/a/b/c", "/a%2Fb/c"),  # an exact route need not know how a client writes it
        ("/%41%2Fb?x=%2F", "/A/b", "/A%2Fb"),
        ("/a?x=%2F", "/a", "/a"),
        ("/a%2Fb/../c", "/a/c", "/a/c"),  # dot segments, merged slashes, absolute targets: $uri alone counts
        ("/a%2F%2e%2e/c", "/c", "/c"),
        ("/a%2F/c", "/a/c", "/a/c"),
        ("http://h/a%2Fb", "/a/b", "/a/b"),
    ],
)
def test_an_encoded_slash_is_kept_where_only_decoding_was_done(target: str, uri: str, seen: str) -> None:
    assert matched_as(target, uri) == seen
