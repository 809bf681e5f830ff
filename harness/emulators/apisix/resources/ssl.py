"""Certificates: the gateway's own by SNI, and those it shows to upstreams."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.certificates import certificate_problem, pair_problem
from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused
from harness.emulators.apisix.schema.common import (
    CERTIFICATE,
    DESC,
    HOST,
    IDENTITY,
    LABELS,
    PRIVATE_KEY,
    Schema,
    integer,
    listed,
    obj,
    requires,
    text,
)
from harness.emulators.apisix.schema.validate import is_secret_reference

SSL: Schema = obj(
    {
        **IDENTITY,
        "desc": DESC,
        "labels": LABELS,
        "type": {
            "description": "ssl certificate type, server to server certificate, "
            "client to client certificate for upstream",
            **text(default="server", enum=["server", "client"]),
        },
        "cert": CERTIFICATE,
        "key": PRIVATE_KEY,
        "sni": HOST,
        "snis": listed(HOST, minItems=1),
        "certs": listed(CERTIFICATE),
        "keys": listed(PRIVATE_KEY),
        "client": obj(
            {
                "ca": CERTIFICATE,
                "depth": integer(minimum=0, default=1),
                "skip_mtls_uri_regex": listed(
                    {"description": "uri regular expression to skip mtls", "type": "string"},
                    minItems=1,
                    uniqueItems=True,
                ),
            },
            required=["ca"],
        ),
        "status": {"description": "ssl status, 1 to enable, 0 to disable", **integer(enum=[1, 0], default=1)},
        "ssl_protocols": {
            "description": "set ssl protocols",
            **listed({"enum": ["TLSv1.1", "TLSv1.2", "TLSv1.3"]}, maxItems=3, uniqueItems=True),
        },
    },
    then={"oneOf": [requires("sni", "key", "cert"), requires("snis", "key", "cert")]},
    additionalProperties=False,
)
SSL["if"] = {"properties": {"type": {"enum": ["server"]}}}
SSL["else"] = requires("key", "cert")


class Ssls(Kind):
    """Keys are kept encrypted, and no GET shows them."""

    directory = "ssls"
    label = "ssl"
    schema_name = "ssl"
    schema = SSL

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        reason = ssl_problem(conf, desk)
        if reason is not None:
            raise Refused(reason)

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        if "key" in conf:
            conf["key"] = desk.keyring.encrypt_key(conf["key"])
        if isinstance(conf.get("keys"), list):
            conf["keys"] = [desk.keyring.encrypt_key(key) for key in conf["keys"]]


def ssl_problem(conf: dict[str, Any], desk: Desk) -> str | None:
    """What is wrong with the certificates and keys, or None."""
    reason = _pair_problem(conf.get("cert"), conf.get("key"), desk)
    if reason is not None or conf.get("type") == "client":
        return reason
    certs, keys = conf.get("certs") or [], conf.get("keys") or []
    if len(certs) != len(keys):
        return "mismatched number of certs and keys"
    for place, (cert, key) in enumerate(zip(certs, keys, strict=True), 1):
        reason = _pair_problem(cert, key, desk)
        if reason is not None:
            return f"failed to handle cert-key pair[{place}]: {reason}"
    authority = (conf.get("client") or {}).get("ca")
    if authority is None or is_secret_reference(authority):
        return None
    reason = certificate_problem(authority)
    return None if reason is None else f"failed to validate client_cert: {reason}"


def _pair_problem(cert: Any, key: Any, desk: Desk) -> str | None:
    if is_secret_reference(cert) or is_secret_reference(key):
        return None
    return pair_problem(cert, key, desk.keyring)
