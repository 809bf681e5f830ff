"""Patterns and who watches them: matching, limits, what a client is to be told."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import ManualClock
from harness.emulators.nacos import watches as module
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.watches import Difference, Named, PatternsFull, Watches, parse

NAMES = st.text("ab.", max_size=4)


@pytest.fixture
def there() -> list[Named]:
    return [Named("public", "G", name) for name in ("orders", "order-items", "users")]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def watches(there: list[Named], clock: ManualClock) -> Watches:
    return Watches(clock, lambda namespace: [one for one in there if one.namespace == namespace], "@@".join)


def keys(watches: Watches, pattern: str) -> list[str]:
    return [one.key.rpartition("@@")[2] for one in watches.differences(pattern, ())]


@given(name=NAMES, core=NAMES, form=st.sampled_from(["{}", "*{}", "{}*", "*{}*", "*"]))
def test_a_star_stands_at_an_end(name: str, core: str, form: str) -> None:
    pattern = form.format(core)
    expected = fnmatch.fnmatchcase(name, pattern.replace("**", "*"))
    assert parse(f"public>>G>>{pattern or 'x'}").fits(Named("public", "G", name)) == (
        expected if pattern else name == "x"
    )


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("public>>G>>ord*", True),
        ("public>>*>>*", True),
        ("other>>G>>*", False),
        ("*>>G>>*", False),
        ("public>>H*>>*", False),
        ("public>>G>>or*rs", False),
    ],
)
def test_namespaces_are_literal_and_a_star_in_the_middle_matches_nothing(pattern: str, fits: bool) -> None:
    assert parse(pattern).fits(Named("public", "G", "orders")) is fits


@pytest.mark.parametrize("pattern", ["", "public", "public>>G", "public>>G>>"])
def test_patterns_of_too_few_parts(watches: Watches, pattern: str) -> None:
    with pytest.raises(NacosError, match="out of bounds"):
        watches.watch(pattern, "c")


def test_a_client_is_told_what_it_lacks_and_what_it_has_too_much(watches: Watches) -> None:
    watches.watch("public>>G>>order*", "c")
    found = watches.differences("public>>G>>order*", ["public@@G@@orders", "public@@G@@gone"])
    assert found == [Difference("public@@G@@order-items", True), Difference("public@@G@@gone", False)]


def test_changes_go_to_all_whose_pattern_fits(watches: Watches) -> None:
    watches.watch("public>>G>>*", "all")
    watches.watch("public>>G>>new*", "few")
    watches.watch("public>>H>>*", "none")
    new = Named("public", "G", "newcomer")
    assert watches.changed(new, True) == ("public@@G@@newcomer", {"all", "few"})
    assert watches.changed(new, True) == ("public@@G@@newcomer", set())
    watches.cancel("public>>G>>*", "all")
    assert watches.changed(new, False) == ("public@@G@@newcomer", {"few"})
    watches.disconnect("few")
    assert watches.changed(new, True) == ("public@@G@@newcomer", set())
    assert watches.changed(Named("else", "G", "x"), True) == ("", set())


def test_no_more_matches_than_allowed(watches: Watches, there: list[Named], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MATCHED", 2)
    watches.watch("public>>G>>*", "c")
    assert watches.is_full("public>>G>>*")
    assert keys(watches, "public>>G>>*") == ["orders", "order-items"]
    assert watches.changed(Named("public", "G", "users"), True)[1] == set()
    there.remove(Named("public", "G", "orders"))
    assert watches.changed(Named("public", "G", "orders"), False)[1] == {"c"}
    assert keys(watches, "public>>G>>*") == ["order-items", "users"]


def test_no_more_patterns_than_allowed(watches: Watches, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PATTERNS", 1)
    watches.watch("public>>G>>a", "c")
    watches.watch("public>>G>>a", "d")
    with pytest.raises(PatternsFull):
        watches.watch("public>>G>>b", "c")
    watches.disconnect("c")
    watches.disconnect("d")
    clock.advance(29)
    watches.clean()
    with pytest.raises(PatternsFull):
        watches.watch("public>>G>>b", "c")
    clock.advance(1)
    watches.clean()
    watches.watch("public>>G>>b", "c")
