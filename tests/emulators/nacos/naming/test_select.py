"""Selection: clusters, enabled, healthy, then the protect threshold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.emulators.nacos.naming.model import Instance
from harness.emulators.nacos.naming.select import select

instances = st.lists(
    st.builds(
        Instance,
        ip=st.just("1.1.1.1"),
        port=st.integers(1, 9),
        healthy=st.booleans(),
        enabled=st.booleans(),
        cluster=st.sampled_from(["A", "B"]),
    ),
    max_size=8,
)


@given(instances, st.sampled_from(["", "A", "A,B", "C"]), st.booleans())
def test_without_metadata_there_is_no_protection(hosts: list[Instance], clusters: str, healthy_only: bool) -> None:
    selected = select(hosts, clusters=clusters, healthy_only=healthy_only)
    wanted = set(clusters.split(",")) if clusters else {"A", "B"}
    assert not selected.protected
    assert list(selected.hosts) == [
        one for one in hosts if one.enabled and one.cluster in wanted and (one.healthy or not healthy_only)
    ]


@given(instances, st.floats(0, 1))
def test_protection_shows_everyone_as_healthy(hosts: list[Instance], threshold: float) -> None:
    selected = select(hosts, threshold=threshold)
    enabled = [one for one in hosts if one.enabled]
    assert len(selected.hosts) == len(enabled)
    if selected.protected:
        assert all(one.healthy for one in selected.hosts)
        assert sum(one.healthy for one in enabled) / len(enabled) <= threshold


def test_a_threshold_of_zero_still_protects_when_nobody_is_healthy() -> None:
    sick = [Instance("1.1.1.1", 1, healthy=False)]
    assert select(sick, threshold=0.0).protected
    assert select(sick, threshold=0.0, healthy_only=True).hosts == ()
