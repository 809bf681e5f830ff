"""Which certificate a server name gets, without a handshake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.emulators.apisix.store import Entry
from harness.emulators.apisix.tls import Certificates
from harness.emulators.apisix.wire_settings import Tls

SSL = Path(__file__).parents[2] / "golden" / "apisix" / "admin-ssls" / "life.json"


def pair() -> dict[str, Any]:
    """A certificate and its key, from the recordings."""
    sample = json.loads(SSL.read_text())["steps"][0]["request"]["body"]
    found: dict[str, Any] = json.loads(sample) if isinstance(sample, str) else sample
    return {"cert": found["cert"], "key": found["key"]}


def certificates(*resources: dict[str, Any], **options: Any) -> Certificates:
    entries = {str(place): Entry("ssls", str(place), value, 1, 1) for place, value in enumerate(resources)}
    return Certificates(entries, ["http/1.1"], Tls(), **options)


def test_names_are_compared_without_case_and_the_roots_dot() -> None:
    one, wild = {**pair(), "sni": "One.Test."}, {**pair(), "snis": ["*.wild.test."]}
    held = certificates(one, wild)
    for name, id_ in {"one.test": "0", "ONE.test.": "0", "a.wild.test": "1", "a.wild.test.": "1"}.items():
        found = held.find(name)
        assert found is not None and found.entry.id == id_
    assert held.find("a.b.wild.test") is None


def test_a_client_without_a_name_gets_the_fallbacks() -> None:
    assert certificates({**pair(), "sni": "one.test"}).find("") is None
    found = certificates({**pair(), "sni": "one.test"}, fallback="One.Test").find("")
    assert found is not None and found.entry.id == "0"


def test_certificate_and_key_may_be_references() -> None:
    known = {"$env://CRT": pair()["cert"], "$env://KEY": pair()["key"]}
    resource = {"cert": "$env://CRT", "key": "$env://KEY", "sni": "one.test"}

    def secret(value: dict[str, Any]) -> dict[str, Any]:
        return {name: known.get(str(member), member) for name, member in value.items()}

    assert certificates(resource, secret=secret).find("one.test") is not None
    assert certificates(resource).find("one.test") is None
