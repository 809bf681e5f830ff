"""The document that shows what a platform becomes, without its secrets."""

from __future__ import annotations

import json

import pytest
import yaml

from harness.model import compile_platform, render

TEXT = """\
name: shop
services:
  orders:
    image: x
    config:
      content: {password: p4ssword-plain, level: 1, key: '${secret:shared}'}
    gateway: {route_prefix: /orders, nacos_service: orders, auth: [jwt, api-key], public: [/healthz]}
nacos:
  configs:
    flow.yaml: {file: flow.yaml}
    pem.text: {content: "-----BEGIN RSA PRIVATE KEY-----\\nMIIEv\\n-----END RSA PRIVATE KEY-----"}
security:
  secrets: {shared: sh4red-value}
  consumers:
    web: {jwt: {secret: "${secret:shared}"}, api_key: {key: k3y-of-web}}
"""
HIDDEN = ("sh4red-value", "k3y-of-web", "p4ssword-plain", "MIIEv", "fl0w-secret")


@pytest.fixture
def platform(load):
    return load(TEXT, flow_yaml="clients:\n  - {name: a, app_secret: fl0w-secret, note: kept}\n")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_secrets_are_masked(platform, form):
    shown = render(platform, format=form)
    assert [secret for secret in HIDDEN if secret in shown] == []
    assert "level: 1" in shown
    assert "note: kept" in shown


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_secrets_are_shown_when_asked_for(platform, form):
    shown = render(platform, format=form, show_secrets=True)
    assert [secret for secret in HIDDEN if secret not in shown] == []


def test_both_forms_hold_what_was_compiled(platform):
    compiled = compile_platform(platform)
    found = yaml.safe_load(render(platform, show_secrets=True))
    assert found == json.loads(render(platform, format="json", show_secrets=True))
    bodies = {kind: dict(found["apisix"][kind]) for kind in found["apisix"]}
    assert bodies == {kind: {id: one.body for id, one in compiled.of(kind).items()} for kind in bodies}
    assert [config["content"] for config in found["nacos"]["configs"]] == [one.content for one in compiled.configs]


def test_headings_say_what_is_written_where(platform):
    shown = render(platform)
    assert "# shop in dev" in shown
    assert "# PUT /apisix/admin/routes/orders-public: /orders/healthz → orders" in shown
    assert "# PUT /apisix/admin/upstreams/orders: instances of orders in Nacos" in shown
    assert "# public / DEFAULT_GROUP / orders.yaml" in shown


def test_unknown_form(platform):
    with pytest.raises(ValueError, match="yaml or json, not 'xml'"):
        render(platform, format="xml")
