"""Whether a certificate and its key can be read, in OpenSSL's words as lua-resty-core passes them on."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.encryption import Keyring


def certificate_problem(pem: str) -> str | None:
    """What is wrong with a certificate (or a chain), or None."""
    from cryptography import x509  # imported at first use: it costs a start 50 ms

    try:
        found = x509.load_pem_x509_certificates(pem.encode("utf-8", "surrogateescape"))
    except ValueError:
        found = []
    return None if found else "failed to parse cert: PEM_read_bio_X509_AUX() failed"


def pair_problem(certificate: str, key: Any, keyring: Keyring) -> str | None:
    """What is wrong with a certificate and its key (which may be encrypted), or None; that they fit isn't checked."""
    reason = certificate_problem(certificate)
    if reason is not None or not isinstance(key, str):
        return reason
    plain = keyring.decrypt_key(key)
    if plain is None:
        return "failed to decrypt previous encrypted key"
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(plain.encode("utf-8", "surrogateescape"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "failed to parse key: PEM_read_bio_PrivateKey() failed"
    return None
