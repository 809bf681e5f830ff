"""data_encryption: secrets kept as AES-CBC in etcd, the key being its own initialisation vector."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

#: the keyring of APISIX's default configuration
DEFAULT_KEYRING = ("qeddd145sfvddff3", "edd1c9f0985e76a2")


class Keyring:
    """Encrypts with the first key, decrypts with any. Raises ValueError for a key that isn't 16 or 32 bytes long.

    An empty keyring leaves everything in plain; `fields` False leaves the plugins' fields so (keys of certificates
    are encrypted nevertheless).
    """

    def __init__(self, keys: Sequence[str] = DEFAULT_KEYRING, *, fields: bool = True) -> None:
        self._keys = [_checked(key.encode()) for key in keys]
        self.fields = fields

    @cached_property
    def _ciphers(self) -> list[Cipher[modes.CBC]]:
        return [_cipher(key) for key in self._keys]

    def encrypt(self, plain: str) -> str:
        """Base64 of the encrypted text, or the text itself without keys."""
        if not self._keys:
            return plain
        from cryptography.hazmat.primitives.padding import PKCS7

        encryptor = self._ciphers[0].encryptor()
        padder = PKCS7(128).padder()
        padded = padder.update(plain.encode("utf-8", "surrogateescape")) + padder.finalize()
        return b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def decrypt(self, stored: str) -> str | None:
        """The plain text, or None when no key fits."""
        if not self._keys:
            return stored
        try:
            raw = b64decode(stored, validate=True)
        except (Base64Error, ValueError):
            return None
        found = (_open(cipher, raw) for cipher in self._ciphers)
        return next((plain for plain in found if plain is not None), None)

    def encrypt_key(self, pem: Any) -> Any:
        """A certificate's key: only what looks like PEM is encrypted."""
        return self.encrypt(pem) if isinstance(pem, str) and pem.startswith("---") else pem

    def decrypt_key(self, stored: str) -> str | None:
        """The PEM of a key, or None when no key of the ring fits."""
        return stored if stored.startswith("---") else self.decrypt(stored)

    def apply(self, conf: Any, path: str, change: Callable[[str], str | None]) -> None:
        """Change the strings at a dotted path of a configuration in place, through lists; what can't be is left."""
        member, _, rest = path.partition(".")
        if not isinstance(conf, dict) or member not in conf:
            return
        value = conf[member]
        if rest:
            for item in value if isinstance(value, list) else [value]:
                self.apply(item, rest, change)
        elif isinstance(value, str):
            conf[member] = _or_same(change, value)
        elif isinstance(value, list):
            value[:] = [_or_same(change, item) for item in value]
        elif isinstance(value, dict):
            value.update({name: _or_same(change, item) for name, item in value.items()})


def _or_same(change: Callable[[str], str | None], value: Any) -> Any:
    if not isinstance(value, str):
        return value
    changed = change(value)
    return value if changed is None else changed


def _checked(key: bytes) -> bytes:
    if len(key) not in (16, 32):
        raise ValueError(f"a key of the data_encryption keyring has 16 or 32 bytes, not {len(key)}")
    return key


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # at first use: it costs a start 30 ms

    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def _open(cipher: Cipher[modes.CBC], raw: bytes) -> str | None:
    from cryptography.hazmat.primitives.padding import PKCS7

    try:
        decryptor = cipher.decryptor()
        padded = decryptor.update(raw) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode("utf-8", "surrogateescape")
    except ValueError:
        return None
