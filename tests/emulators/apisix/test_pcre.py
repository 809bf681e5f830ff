"""Patterns as nginx reads them, where Python reads them otherwise."""

from __future__ import annotations

import warnings

import pytest

from harness.emulators.apisix import pcre


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^/a{,3}$", "/a{,3}", "/a{,3}"),
        ("[[:alpha:]]+", "12abc", "abc"),
        ("x(?i)a|b", "B", "B"),
        ("(?i)select|union", "a UNION b", "UNION"),
        ("(x(?i)a)b", "xAB", None),
        ("[[]", "[", "["),
        ("[]a]+", "a]b", "a]"),
        (r"\Qa.b\E", "axb a.b", "a.b"),
        (r"end\z", "end\n", None),
        (r"(?<n>a)\k<n>", "baa", "aa"),
        (r"\w+", "\xe9a", "a"),
        (r"[\w\-.]+", "a-b.c d", "a-b.c"),
        (r"\x{41}", "A", "A"),
        ("ü", "ü".encode().decode("latin-1"), "ü".encode().decode("latin-1")),
    ],
)
def test_matches_as_pcre_does(pattern: str, text: str, found: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match = pcre.search(pattern, text)
    assert (match[0] if match else None) == found


def test_options_are_ngx_letters() -> None:
    assert pcre.search("abc", "ABC", "ijo")
    assert not pcre.search("abc", "ABC", "jo")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", 'pcre2_compile() failed: missing closing parenthesis in "("'),
        ("[a", 'pcre2_compile() failed: missing terminating ] for character class in "[a"'),
        ("ab)c", 'pcre2_compile() failed: unmatched closing parenthesis in "ab)c" at ")c"'),
    ],
)
def test_errors_read_as_nginx_words_them(pattern: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        pcre.compile(pattern)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\p{L}+$", "abz", True),
        (r"^\p{L}+$", "a1", False),
        (r"^[\p{L}\p{Nd}-]+$", "a-1", True),
        (r"^\P{L}$", "1", True),
        (r"^\p{^Lu}$", "a", True),
        (r"^\pL\pN$", "a1", True),
        (r"^\p{L}$", "\xe9", True),
    ],
)
def test_unicode_properties(pattern, text, found):
    assert (pcre.search(pattern, text) is not None) is found
