"""A consumer's allowance: used up, refused with a reason, and renewed when the window is over."""

from __future__ import annotations

import pytest

ORDERS = "/bi-api-jushuitan/v1/orders"
USERS = "/bi-basic/v1/users/u-1001"


@pytest.fixture
def trial(gateway):
    return gateway.key("erp-trial")


def test_the_allowance_counts_down_and_ends(gateway, trial):
    answers = [gateway.get(ORDERS, headers=trial) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    assert answers[-1].json() == {"error_msg": "the trial's limit is reached"}


@pytest.mark.requires("clock")
def test_it_is_renewed_when_the_window_is_over(gateway, stack, trial):
    while gateway.get(ORDERS, headers=trial).status_code == 200:
        pass
    stack.advance(61)
    assert gateway.get(ORDERS, headers=trial).status_code == 200


def test_it_is_each_consumers_own(gateway, trial):
    for _ in range(6):
        gateway.get(ORDERS, headers=trial)
    assert gateway.get(ORDERS, headers=gateway.key("erp-jushuitan")).status_code == 200


def test_a_token_holders_allowance_ends_as_well(gateway):
    headers = gateway.bearer("bi-trial")
    assert [gateway.get(USERS, headers=headers).status_code for _ in range(6)] == [200] * 5 + [429]


def test_each_test_begins_with_a_full_allowance(gateway, trial):
    assert gateway.get(ORDERS, headers=trial).headers["X-RateLimit-Remaining"] == "4"
