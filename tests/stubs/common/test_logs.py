"""Secrets that a library writes into its messages are masked."""

from __future__ import annotations

import pytest

from stubs.common.logs import masked


@pytest.mark.parametrize(
    "text",
    [
        "headers={'accessToken': 's3cret', 'a': 'b'}",
        '{"password": "s3cret"}',
        "POST /login?username=u&password=s3cret&x=1",
        "Authorization: Bearer s3cret",
        "secret_key=s3cret",
        "secret: s3cret",
    ],
)
def test_the_value_is_masked_and_the_name_stays(text):
    assert "s3cret" not in masked(text)
    assert "***" in masked(text)


def test_other_text_is_left_alone():
    text = "bi stream broken: connection refused (errno=111), tokens=3"
    assert masked(text) == text
