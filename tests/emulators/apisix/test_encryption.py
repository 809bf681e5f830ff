"""The keyring: the real gateway's own ciphertexts, several keys, what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.encryption import Keyring


def test_the_ciphertext_of_a_real_gateway() -> None:
    ring = Keyring()
    assert ring.encrypt("plain-key") == "Ia8XjTjZ0HDOSoJXtGMSUQ=="
    assert ring.decrypt("n+P1VeClZzq3tyjZVsPmcg==") == "p"


def test_an_old_key_still_opens() -> None:
    old, new = "o" * 16, "n" * 32
    assert Keyring((new, old)).decrypt(Keyring((old,)).encrypt("x")) == "x"
    assert Keyring((new,)).decrypt("not base64!") is None


def test_without_keys_all_stays_plain() -> None:
    assert Keyring(()).encrypt("x") == "x"
    assert Keyring(()).decrypt("x") == "x"


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="16 or 32 bytes, not 5"):
        Keyring(("short",))


@pytest.mark.parametrize(
    ("conf", "path", "result"),
    [
        ({"a": "x"}, "a", {"a": "X"}),
        ({"a": {"b": "x"}}, "a.b", {"a": {"b": "X"}}),
        ({"a": [{"b": "x"}, {"c": "x"}]}, "a.b", {"a": [{"b": "X"}, {"c": "x"}]}),
        ({"a": ["x", 1]}, "a", {"a": ["X", 1]}),
        ({"a": {"h": "x", "n": 1}}, "a", {"a": {"h": "X", "n": 1}}),
        ({"a": 1}, "a.b", {"a": 1}),
        ([], "a", []),
    ],
)
def test_paths_lead_to_every_string(conf: Any, path: str, result: Any) -> None:
    Keyring().apply(conf, path, str.upper)
    assert conf == result
