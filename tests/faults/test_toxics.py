"""How long each toxic holds a piece back."""

from __future__ import annotations

import math
import random

import pytest

from harness.faults.toxics import Latency, Loss, toxics


def test_latency_is_the_delay_give_or_take_the_jitter():
    assert Latency(0.2).hold(1, random.Random(1)) == 0.2
    held = [Latency(0.2, 0.05).hold(1, random.Random(seed)) for seed in range(200)]
    assert 0.15 <= min(held) < 0.17 < 0.23 < max(held) <= 0.25
    assert min(Latency(0.01, 1.0).hold(1, random.Random(seed)) for seed in range(50)) == 0.0, "never before it came"


def test_a_lost_packet_comes_a_retransmission_later_and_twice_as_late_when_it_is_lost_again():
    held = [round(Loss(0.5).hold(1, random.Random(seed)), 3) for seed in range(500)]
    assert {0.0, 0.2, 0.6, 1.4} <= {*held}
    assert 0.4 < held.count(0.0) / 500 < 0.6


def test_the_larger_a_piece_the_likelier_it_is_late():
    chance = random.Random(1)
    small = sum(Loss(0.05).hold(100, chance) > 0 for _ in range(500))
    large = sum(Loss(0.05).hold(65536, chance) > 0 for _ in range(500))
    assert small < 50 and large > 400


def test_what_is_always_lost_never_comes():
    assert Loss(1.0).hold(1, random.Random(1)) == math.inf


def test_settings_become_toxics():
    assert list(toxics()) == []
    assert list(toxics(delay=0.1, loss=0.2)) == [Latency(0.1), Loss(0.2)]


@pytest.mark.parametrize("wrong", [{"delay": -1}, {"jitter": -1}, {"loss": 1.5}, {"loss": -0.1}])
def test_a_setting_that_makes_no_sense_is_told(wrong):
    with pytest.raises(ValueError, match="is a share from 0 to 1"):
        toxics(**wrong)
