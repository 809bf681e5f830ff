"""What the environment says about building images."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engines.images.settings import read
from harness.errors import SpecError


def test_proxies_indexes_and_what_the_user_names_are_passed_on() -> None:
    environment = {
        "PIP_INDEX_URL": "u",
        "HTTPS_PROXY": "p",
        "TEAM": "bi",
        "OTHER": "x",
        "HARNESS_BUILD_ARGS": "TEAM, NONE",
    }
    assert read(environment).arguments == {"HTTPS_PROXY": "p", "PIP_INDEX_URL": "u", "TEAM": "bi"}


def test_the_netrc_goes_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine m login l password p")
    assert read({"HARNESS_NETRC": str(tmp_path / "netrc")}).arguments == {"NETRC": "machine m login l password p"}


def test_the_harness_own_bundle_wins_over_pips(tmp_path: Path) -> None:
    own, pips = tmp_path / "own.pem", tmp_path / "pip.pem"
    own.touch()
    pips.touch()
    assert read({"PIP_CERT": str(pips)}).ca_bundle == pips
    assert read({"PIP_CERT": str(pips), "HARNESS_CA_BUNDLE": str(own)}).ca_bundle == own
    assert read({"SSL_CERT_FILE": str(tmp_path / "none")}).ca_bundle is None


@pytest.mark.parametrize("name", ["HARNESS_CA_BUNDLE", "HARNESS_NETRC"])
def test_a_file_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(SpecError, match=name):
        read({name: "/nowhere/at/all"})


def test_a_base_image_needs_a_version() -> None:
    with pytest.raises(SpecError, match="HARNESS_BASE_IMAGE"):
        read({"HARNESS_BASE_IMAGE": "python:latest"})
