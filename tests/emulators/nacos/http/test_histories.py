"""What a history row tells beside the configuration: its variant, its changes, what else was known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer

KEY = {"dataId": "d", "group": "G"}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with (
        NacosServer() as nacos,
        httpx.Client(base_url=f"http://127.0.0.1:{nacos.port}/nacos", trust_env=False) as client,
    ):
        yield client


def publish(http: httpx.Client, content: str, headers: dict[str, str] | None = None, **more: str) -> None:
    http.post("/v2/cs/config", data={**KEY, "content": content, **more}, headers=headers).raise_for_status()


def rows(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/v2/cs/history/list", params=KEY).json()["data"]["pageItems"]
    return found


def detail(http: httpx.Client, nid: str) -> Any:
    return http.get("/v2/cs/history/detail", params={**KEY, "namespaceId": "public", "nid": nid}).json()["data"]


def test_a_row_tells_what_it_changed(http: httpx.Client) -> None:
    publish(http, "one")
    publish(http, "two")
    publish(http, "three")
    http.delete("/v2/cs/config", params=KEY).raise_for_status()
    told = [detail(http, row["id"]) for row in reversed(rows(http))]
    assert [(one["opType"], one["originalContent"], one["updatedContent"]) for one in told] == [
        ("I", "", "one"),
        ("U", "one", "two"),
        ("U", "two", "three"),
        ("D", "three", None),
    ]
    assert detail(http, "4711") is None


def test_the_last_update_is_told_by_what_is_there(http: httpx.Client) -> None:
    publish(http, "one")
    publish(http, "two")
    told = detail(http, rows(http)[0]["id"])
    assert (told["originalContent"], told["updatedContent"], told["updateExtInfo"]) == ("one", "two", None)


def test_variants_have_rows_of_their_own(http: httpx.Client) -> None:
    publish(http, "few", {"betaIps": "9.9.9.9"})
    publish(http, "blue", tag="blue")
    blue, beta = rows(http)
    assert [(one["publishType"], one["grayName"]) for one in (beta, blue)] == [("gray", "beta"), ("gray", "tag_blue")]
    info = json.loads(beta["extInfo"])
    assert (info["gray_name"], json.loads(info["gray_rule"])["expr"]) == ("beta", "9.9.9.9")
    assert json.loads(json.loads(blue["extInfo"])["gray_rule"])["type"] == "tag"


def test_what_else_was_known(http: httpx.Client) -> None:
    publish(http, "one", type="yaml", desc="first", configTags="a,b", use="u")
    http.delete("/v2/cs/config", params=KEY).raise_for_status()
    removed, inserted = (json.loads(row["extInfo"]) for row in rows(http))
    assert list(inserted.items()) == [("c_use", "u"), ("type", "yaml"), ("config_tags", "a,b"), ("c_desc", "first")]
    assert list(removed.items()) == [("type", "yaml"), ("config_tags", "a,b"), ("c_desc", "first"), ("c_use", "u")]
