"""Signed tokens as jwt-auth reads them: parsing, signatures, lifetime; what was parsed and verified is remembered."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from math import ceil, floor, inf, isfinite
from typing import Any

from harness.emulators.apisix.plugins.auth import decode_base64, decode_base64url

#: over (signed bytes, signature): whether the signature is right
Verifier = Callable[[bytes, bytes], bool]

_KNOWN = frozenset([kind + size for kind in ("HS", "RS", "ES", "PS") for size in ("256", "384", "512")] + ["EdDSA"])
_TO_BASE64 = str.maketrans("-_", "+/")
#: bytes of a raw signature; parser.lua demands them
_ECDSA_SIZES = {"ES256": 64, "ES384": 96, "ES512": 132}
_PSS_SIZE = 256


@dataclass(frozen=True, slots=True)
class Token:
    """The three parts of a token; nothing about it is proven."""

    text: str
    algorithm: Any
    payload: Mapping[str, Any]
    signed: bytes
    signature: str


@lru_cache(maxsize=1024)
def parse(text: str) -> Token | None:
    """The token, or None when it isn't one. Empty parts don't count, as in lua-resty-jwt."""
    parts = [part for part in text.split(".") if part]
    if len(parts) != 3:
        return None
    header, payload = _decoded(parts[0]), _decoded(parts[1])
    if header is None or payload is None:
        return None
    algorithm = header.get("alg") if isinstance(header, dict) else None
    claims = payload if isinstance(payload, dict) else {}
    return Token(text, algorithm, claims, f"{parts[0]}.{parts[1]}".encode("latin-1"), parts[2])


def _decoded(part: str) -> Any:
    data = decode_base64(part.translate(_TO_BASE64))
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def verified(text: str, algorithm: str, key: bytes) -> bool:
    """Whether the token's signature is right; depends on nothing else, so it is remembered."""
    token = parse(text)
    signature = decode_base64url(token.signature) if token else None
    if token is None or signature is None:
        return False
    try:
        return verifier(algorithm, key)(token.signed, signature)
    except ValueError:  # the key can't be read
        return False


def lifetime_problem(payload: Mapping[str, Any], required: tuple[str, ...], now: int, grace: int) -> str:
    """Why the token isn't valid at `now` (whole seconds), or "". Claims that aren't required count when present."""
    for claim in required or ("nbf", "exp"):
        if claim not in payload:
            if required:
                return f"claim {claim} is missing"
            continue
        value = payload[claim]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"claim {claim} is not a number"
        if claim == "nbf" and not value < now + grace:
            return f"'nbf' claim not valid until {formatdate(value, usegmt=True)}"
        if claim == "exp" and not value > now - grace:
            return f"'exp' claim expired at {formatdate(value, usegmt=True)}"
    return ""


def lifetime(payload: Mapping[str, Any], required: tuple[str, ...], grace: int) -> tuple[float, float]:
    """From when until when `lifetime_problem` has nothing against a token that it just passed, in seconds.

    Whole seconds are compared, so that the bounds are whole; one that is no finite number leaves no time at all.
    """
    begins: float = -inf
    ends: float = inf
    for claim in required or ("nbf", "exp"):
        if claim in payload:
            bound = payload[claim]
            if isinstance(bound, float) and not isfinite(bound):
                return -inf, -inf
            if claim == "nbf":
                begins = floor(bound - grace) + 1
            else:
                ends = ceil(bound + grace)
    return begins, ends


@lru_cache(maxsize=1024)
def verifier(algorithm: str, key: bytes) -> Verifier:
    """The check of one algorithm with one key (a secret, or PEM); raises ValueError for a key that can't be read."""
    if algorithm not in _KNOWN:
        raise ValueError(f"unsupported algorithm: {algorithm}")
    if algorithm.startswith("HS"):
        digest = f"sha{algorithm[2:]}"
        return lambda signed, signature: hmac.compare_digest(hmac.digest(key, signed, digest), signature)
    return _public_verifier(algorithm, key)


def _public_verifier(algorithm: str, pem: bytes) -> Verifier:
    # imported here so that a gateway without such consumers starts without it
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    key = _public_key(pem)
    check: Callable[[bytes, bytes], None]
    if algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        eddsa = key
        check = lambda signed, signature: eddsa.verify(signature, signed)  # noqa: E731
    elif algorithm in _ECDSA_SIZES and isinstance(key, ec.EllipticCurvePublicKey):
        check = _ecdsa(algorithm, key)
    elif algorithm[:2] in ("RS", "PS") and isinstance(key, rsa.RSAPublicKey):
        check = _rsa(algorithm, key)
    else:
        raise ValueError(f"the key does not fit {algorithm}")

    def verify(signed: bytes, signature: bytes) -> bool:
        try:
            check(signed, signature)
        except InvalidSignature:
            return False
        return True

    return verify


def _public_key(pem: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        if b"PRIVATE KEY" in pem:
            return serialization.load_pem_private_key(pem, None).public_key()
        return serialization.load_pem_public_key(pem)
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError(str(error)) from error


def _ecdsa(algorithm: str, key: Any) -> Callable[[bytes, bytes], None]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    method = ec.ECDSA(_hash(algorithm))
    size = _ECDSA_SIZES[algorithm]

    def check(signed: bytes, signature: bytes) -> None:
        if len(signature) != size:
            raise InvalidSignature
        half = size // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        key.verify(utils.encode_dss_signature(r, s), signed, method)

    return check


def _rsa(algorithm: str, key: Any) -> Callable[[bytes, bytes], None]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding

    chosen = _hash(algorithm)
    if algorithm.startswith("RS"):
        return lambda signed, signature: key.verify(signature, signed, padding.PKCS1v15(), chosen)
    pss = padding.PSS(padding.MGF1(chosen), padding.PSS.AUTO)

    def check(signed: bytes, signature: bytes) -> None:
        if len(signature) != _PSS_SIZE:
            raise InvalidSignature
        key.verify(signature, signed, pss, chosen)

    return check


def _hash(algorithm: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    return {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[2:]]
