"""What is refused is known by name, and refused as loudly as a typo."""

from __future__ import annotations

from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.resources.plugin_names import BY_DEFAULT, ON_DEMAND, refused
from harness.emulators.apisix.resources.plugins import Catalogue


def test_every_plugin_of_ours_is_one_of_the_real_gateway() -> None:
    assert set(BY_NAME) <= {*BY_DEFAULT, *ON_DEMAND}


def test_what_is_not_emulated_is_refused_in_the_real_words() -> None:
    catalogue = Catalogue(BY_NAME, BY_NAME)
    for name in (*refused(), "no-such-plugin"):
        assert catalogue.check({name: {}}) == f"unknown plugin [{name}]"


def test_a_plugin_that_config_yaml_leaves_out_is_unknown_too() -> None:
    assert Catalogue(BY_NAME, ["cors"]).check({"key-auth": {}}) == "unknown plugin [key-auth]"
