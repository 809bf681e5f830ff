"""Names and plain values of parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import NacosError


@pytest.mark.parametrize(
    ("service", "group", "expected"),
    [
        ("s", None, ("DEFAULT_GROUP", "s")),
        ("s", "G", ("G", "s")),
        ("H@@s", "G", ("H", "s")),
    ],
)
def test_a_group_inside_the_name_wins(service: str, group: str | None, expected: tuple[str, str]) -> None:
    assert names.split_grouped(service, group) == expected


def test_a_name_that_begins_with_the_splitter_is_refused() -> None:
    with pytest.raises(NacosError, match="Service name filter error"):
        names.split_grouped("@@s")


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "on", "yes", "1"])
def test_java_s_yes(text: str) -> None:
    assert names.to_bool(text)


@pytest.mark.parametrize("text", ["false", "False", "off", "no", "0", "whatever", ""])
def test_all_else_is_no(text: str) -> None:
    assert not names.to_bool(text)


@pytest.mark.parametrize("tenant", [None, "", "  ", "public", "PUBLIC", "null"])
def test_the_public_tenant_has_many_names(tenant: str | None) -> None:
    assert names.tenant_of(tenant) == ""


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("dataId", "a b", "illegal characters"),
        ("dataId", "x" * 257, "length should not exceed 256"),
        ("serviceName", "中文", "illegal characters"),
        ("serviceName", "x" * 513, "length should not exceed 512"),
        ("namespaceId", "a/b", "illegal characters"),
        ("clusterName", "a.b", "illegal characters"),
    ],
)
def test_the_checker_s_refusals(name: str, value: str, words: str) -> None:
    with pytest.raises(NacosError, match=words):
        names.check(name, value)


@given(st.text())
def test_numbers_are_read_or_refused(text: str) -> None:
    for read in (names.to_int, names.to_float, names.check_port):
        try:
            read(text)
        except NacosError as refused:
            assert refused.status == 400
