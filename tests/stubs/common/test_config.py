"""The sample configurations are the defaults, and what is wrong is refused by name."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
import yaml

import stubs
from stubs.bi_basic.config import BasicConfig
from stubs.catalogue import SERVICES
from stubs.common.config import ConfigStore, parse
from stubs.common.logs import Log
from stubs.common.metrics import Metrics

ROOT = Path(stubs.__file__).parent


@pytest.mark.parametrize("name", SERVICES)
def test_the_sample_is_a_good_configuration_that_shows_the_defaults(name):
    service = SERVICES[name]
    text = (ROOT / name.replace("-", "_") / "config.yaml").read_text()
    sample = parse(service.config, text)
    assert sample.model_copy(update={"log_level": None}) == service.config()
    assert set(yaml.safe_load(text)) == set(service.config.model_fields)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a mapping is expected, not NoneType"),
        ("- 1", "a mapping is expected, not list"),
        ("a: [", "not YAML, line 2"),
        ("\x00", "not YAML"),
        ("colour: red", "colour: Extra inputs are not permitted"),
        ("log_level: LOUD", "log_level: Input should be 'DEBUG'"),
        ("jwt: {secret: short}", "jwt.secret: Value should have at least 32 items"),
        ("jwt: {algorithm: RS256}", "jwt: Value error, algorithm RS256 needs private_key"),
        ("jwt: {private_key: nonsense}", "jwt.private_key: Value error, not a private key in PEM"),
        ("users: [{id: u, username: u, password: p, tenant: none}]", "names the unknown tenant 'none'"),
    ],
)
def test_a_bad_configuration_is_refused_by_key(text, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse(BasicConfig, text)


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(ValueError, match="secret") as refused:
        parse(BasicConfig, "jwt: {secret: hush-hush}")
    assert "hush-hush" not in str(refused.value)


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def store(lines) -> ConfigStore:
    log = Log("bi-basic", "b-0", "INFO", lines)
    return ConfigStore(BasicConfig, log, Metrics("bi-basic", "b-0", "1", "z"), "INFO")


def test_the_last_good_one_stays_and_a_refusal_is_said_once(store, lines):
    assert store.apply("jwt: {key: one}", "nacos", 1.0)
    assert not store.apply("jwt: {keys: two}", "nacos", 2.0)
    assert not store.apply("jwt: {keys: two}", "nacos", 3.0)
    assert store.current.jwt.key == "one"
    shown = store.as_json()
    assert (shown["version"], shown["last_error"]["time"]) == (1, "1970-01-01T00:00:02.000Z")
    levels = [json.loads(line)["level"] for line in lines.getvalue().splitlines()]
    assert levels == ["info", "error"]


def test_the_same_content_is_applied_once(store):
    assert store.apply("jwt: {key: one}", "nacos", 1.0) and store.apply("jwt: {key: one}", "nacos", 2.0)
    assert store.version == 1


def test_going_back_to_the_content_in_force_clears_the_refusal(store):
    store.apply("jwt: {key: one}", "nacos", 1.0)
    store.apply("nonsense", "nacos", 2.0)
    store.apply("jwt: {key: one}", "nacos", 3.0)
    assert (store.last_error, store.version) == (None, 1)


def test_the_log_level_follows_the_configuration_and_falls_back(store, lines):
    store.apply("log_level: ERROR", "nacos", 1.0)
    store.apply("log_level: DEBUG", "nacos", 2.0)
    store.apply("{}", "nacos", 3.0)
    assert [json.loads(line)["version"] for line in lines.getvalue().splitlines()] == [2, 3]
