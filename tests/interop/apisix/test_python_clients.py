"""Published clients of the Admin API against the embedded gateway: declare, dump, bring to another state, dump again.

The declarative tool ADC is in no registry that was in reach, and neither are the Go clients and the Terraform
providers; ADC's documented calls are played by tests/emulators/apisix/test_admin_declarative.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from official.builds import Build, BuildFailed

from harness.emulators.apisix.server import ApisixServer


def client(package: str) -> Build:
    """A virtual environment with the client, beside its program."""
    steps = (
        (sys.executable, "-m", "venv", "venv"),
        ("venv/bin/python", "-m", "pip", "install", "-q", package),
    )
    return Build(package.replace("==", "-"), "../apisix/python", (), steps, sys.version)


def played(build: Build, program: str, gateway: ApisixServer) -> Any:
    """What the client's program prints."""
    try:
        folder = build.made()
    except BuildFailed as error:
        pytest.skip(f"not applicable, the client can't be had: {error}")
    command = [str(folder / "venv/bin/python"), str(folder / program), gateway.admin_url, gateway.admin_key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_apisix_client_dumps_and_synchronises() -> None:
    with ApisixServer() as gateway:
        first, second = played(client("apisix-client==1.0.3"), "typed.py", gateway)
        assert first["routes"] == [["made", "/made", None], ["r1", "/r1", "s1"], ["r2", "/r2", "s1"]]
        assert (first["services"], first["upstreams"]) == ([["s1", "svc", "u1"]], [["u1", "roundrobin"]])
        assert (first["consumers"], first["total"]) == (["jack"], 3)
        assert second["routes"] == [["r1", "/other", "s1"]]
        assert second["total"] == 1


@pytest.mark.parametrize("version", ["v3", "v2"])
def test_mcp_apisix_finds_the_version_and_uses_all_calls(tmp_path: Path, version: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"deployment:\n  admin:\n    admin_api_version: {version}\n")
    with ApisixServer(config=config) as gateway:
        seen = played(client("mcp-apisix==0.4.0"), "versions.py", gateway)
    assert seen["info"]["response_format"] == version
    assert (seen["value"]["desc"], seen["value"]["status"]) == ("changed", 0)
    assert (seen["names"], seen["total"]) == (["one"], 1)
    assert seen["refused"] == [400, 400]
    assert seen["streams"]["list"] == []
    assert seen["plugins"] > 50
    assert {"header", "query", "_meta"} <= set(seen["schema"])
    assert seen["valid"] == {"valid": True}
    assert seen["invalid"]["error_msg"] == 'property "uri" validation failed: wrong type: expected string, got number'
