"""Templates as Lua source."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.lua_template import to_lua


def test_literals_are_quoted():
    assert '__r[#__r + 1] = "a\\"\\\\\\n"' in to_lua('a"\\\n')


def test_an_open_tag_is_text():
    assert '"{{never"' in to_lua("{{never")


@pytest.mark.parametrize("template", ["{(other)}", "{-block-}x{-block-}"])
def test_tags_that_are_not_emulated(template):
    with pytest.raises(ValueError, match="is not emulated"):
        to_lua(template)
