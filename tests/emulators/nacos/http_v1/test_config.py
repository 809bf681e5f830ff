"""`/v1/cs` over the network: publish, get, variants, search, moving, history, long polls."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.wait import until

KEY = {"dataId": "d", "group": "G"}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def publish(http: httpx.Client, content: str, headers: dict[str, str] | None = None, **params: str) -> httpx.Response:
    return http.post("/v1/cs/configs", data={**KEY, "content": content, **params}, headers=headers)


def get(http: httpx.Client, **params: str) -> httpx.Response:
    return http.get("/v1/cs/configs", params={**KEY, **params})


def test_publish_get_and_remove(http: httpx.Client) -> None:
    assert publish(http, '{"a": "中文"}', type="json", encryptedDataKey="k").content == b"true"
    found = get(http)
    assert found.text == '{"a": "中文"}'
    assert found.headers["content-md5"] == md5('{"a": "中文"}')
    assert found.headers["config-type"] == "json"
    assert found.headers["content-type"] == "text/plain;charset=UTF-8"
    assert found.headers["encrypted-data-key"] == "k"
    assert found.headers["last-modified"].endswith(" GMT")
    assert http.delete("/v1/cs/configs", params=KEY).content == b"true"
    missing = get(http)
    assert (missing.status_code, missing.content) == (404, b"config data not exist\n")


def test_public_has_two_spellings(http: httpx.Client) -> None:
    publish(http, "x", tenant="public")
    assert get(http).text == get(http, tenant="").text == get(http, tenant="public").text == "x"
    assert get(http, tenant="other").status_code == 404


@pytest.mark.nacos_3
def test_cas(http: httpx.Client) -> None:
    publish(http, "one")
    refused = publish(http, "two", {"casMd5": md5("other")})
    assert (refused.status_code, refused.content) == (500, b"false")
    assert publish(http, "two", {"casMd5": md5("one")}).content == b"true"


def test_beta_goes_to_its_addresses(http: httpx.Client) -> None:
    publish(http, "all")
    publish(http, "few", {"betaIps": "9.9.9.9"})
    seen = http.get("/v1/cs/configs", params=KEY, headers={"X-Real-IP": "9.9.9.9"})
    assert (seen.text, seen.headers["isbeta"]) == ("few", "true")
    assert get(http).text == "all"
    told = get(http, beta="true").json()
    assert (told["message"], told["data"]["betaIps"]) == ("query beta ok", "9.9.9.9")
    assert http.delete("/v1/cs/configs", params={**KEY, "beta": "true"}).json()["data"] is True
    assert http.get("/v1/cs/configs", params=KEY, headers={"X-Real-IP": "9.9.9.9"}).text == "all"


@pytest.mark.parametrize(
    ("params", "status", "body"),
    [
        (
            {"dataId": "a b"},
            400,
            "Param 'dataId' is illegal, illegal characters should not appear in the param.\r\n",
        ),
        ({"tag": "x" * 17}, 400, "caused: too long tag, over 16;"),
    ],
)
def test_refusals(http: httpx.Client, params: dict[str, str], status: int, body: str) -> None:
    answer = publish(http, "x", **params)
    assert (answer.status_code, answer.text) == (status, body)


@pytest.mark.nacos_3
def test_missing_parameters(http: httpx.Client) -> None:
    answer = http.post("/v1/cs/configs", data={"dataId": "d", "group": "G"})
    assert answer.status_code == 400
    assert "'content'" in answer.json()["message"]


def test_detail_search_and_pages(http: httpx.Client) -> None:
    for number in range(3):
        publish(http, f"v{number}", dataId=f"d{number}", appName="app", config_tags="x")
    detail = get(http, show="all", dataId="d1").json()
    assert (detail["content"], detail["appName"], detail["configTags"]) == ("v1", "app", "x")
    page = http.get("/v1/cs/configs?search=blur&dataId=d*&group=&pageNo=1&pageSize=2").json()
    assert (page["totalCount"], page["pagesAvailable"], len(page["pageItems"])) == (3, 2, 2)
    exact = http.get("/v1/cs/configs?search=accurate&dataId=d2&group=G&pageNo=1&pageSize=9").json()
    assert [item["dataId"] for item in exact["pageItems"]] == ["d2"]
    ids = ",".join(item["id"] for item in page["pageItems"])
    assert http.delete(f"/v1/cs/configs?delType=ids&ids={ids}").json()["data"] is True
    left = http.get("/v1/cs/configs?search=accurate&dataId=&group=&pageNo=1&pageSize=9").json()
    assert [item["dataId"] for item in left["pageItems"]] == ["d2"]


def test_export_import_and_clone(http: httpx.Client) -> None:
    publish(http, "a: 1", type="yaml", dataId="a.yaml")
    http.post("/v1/console/namespaces?customNamespaceId=other&namespaceName=other")
    exported = http.get("/v1/cs/configs?exportV2=true&group=&dataId=&tenant=")
    assert exported.headers["content-disposition"].startswith("attachment;filename=nacos_config_export_")
    files = {"file": ("x.zip", exported.content, "application/zip")}
    imported = http.post("/v1/cs/configs?import=true&namespace=other", files=files).json()
    assert (imported["message"], imported["data"]["succCount"]) == ("import success", 1)
    assert get(http, dataId="a.yaml", tenant="other").headers["config-type"] == "yaml"
    aborted = http.post("/v1/cs/configs?import=true&namespace=other", files=files).json()
    assert aborted["data"]["succCount"] == 0
    nowhere = http.post("/v1/cs/configs?import=true&namespace=nowhere", files=files).json()
    assert nowhere["code"] == 100001
    [item] = http.get("/v1/cs/configs?search=accurate&dataId=a.yaml&group=G&pageNo=1&pageSize=1").json()["pageItems"]
    body = [{"cfgId": item["id"], "dataId": "copy.yaml", "group": "H"}]
    cloned = http.post("/v1/cs/configs?clone=true&tenant=other", json=body).json()
    assert cloned["data"]["succCount"] == 1
    assert get(http, dataId="copy.yaml", group="H", tenant="other").text == "a: 1"


def test_history_and_rollback(http: httpx.Client) -> None:
    publish(http, "one")
    publish(http, "two")
    rows = http.get("/v1/cs/history", params={**KEY, "search": "accurate"}).json()["pageItems"]
    assert [row["opType"] for row in rows[:2]] == ["U".ljust(10), "I".ljust(10)]
    old = http.get("/v1/cs/history", params={**KEY, "nid": rows[0]["id"]}).json()
    assert old["content"] == "one"
    refused = http.get("/v1/cs/history", params={**KEY, "dataId": "other", "nid": rows[0]["id"]})
    assert (refused.status_code, refused.text) == (403, "caused: Please check dataId, group or namespaceId.;")
    config_id = get(http, show="all").json()["id"]
    assert http.get("/v1/cs/history/previous", params={**KEY, "id": config_id}).json()["content"] == "one"
    publish(http, old["content"])
    assert get(http).text == "one"


# -- long polls --------------------------------------------------------------------------------------------------------


def probe(md5_known: str, tenant: str | None = None, data_id: str = "d") -> dict[str, str]:
    fields = [data_id, "G", md5_known, *([tenant] if tenant is not None else [])]
    return {"Listening-Configs": "\x02".join(fields) + "\x01"}


HOLD = {"Long-Pulling-Timeout": "30000"}
LISTENER = "/v1/cs/configs/listener"


@pytest.fixture
def poll(nacos: NacosServer) -> Iterator[Any]:
    """Start a held poll in a thread; answers a function that waits for its response."""
    threads: list[threading.Thread] = []

    def start(body: dict[str, str]) -> Any:
        found: list[httpx.Response] = []

        def run() -> None:
            url = f"{nacos.http_url}/nacos{LISTENER}"
            found.append(httpx.post(url, data=body, headers=HOLD, timeout=60, trust_env=False))

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
        until(lambda: nacos.call(lambda node: len(node.site.polls._pollers)) == 1, 5, awaited="the poll to be held")

        def answer() -> httpx.Response:
            thread.join(10)
            return found[0]

        return answer

    yield start
    nacos.advance(60)
    for thread in threads:
        thread.join(10)


def test_a_difference_is_answered_at_once(http: httpx.Client) -> None:
    publish(http, "x")
    assert http.post(LISTENER, data=probe(""), headers=HOLD).text == "d%02G%01\n"
    assert http.post(LISTENER, data=probe(md5("x"))).content == b""
    publish(http, "x", tenant="ns")
    assert http.post(LISTENER, data=probe("", "ns"), headers=HOLD).text == "d%02G%02ns%01\n"
    twice = {"Listening-Configs": quote(probe("", "ns")["Listening-Configs"])}
    assert http.post(LISTENER, data=twice, headers=HOLD).text == "d%02G%02ns%01\n"


def test_a_held_poll_ends_with_a_change(http: httpx.Client, poll: Any) -> None:
    publish(http, "x")
    answer = poll(probe(md5("x")))
    publish(http, "x")  # the same content: nobody is woken
    publish(http, "y")
    assert answer().text == "d%02G%01\n"


def test_a_held_poll_ends_with_a_removal(http: httpx.Client, poll: Any) -> None:
    publish(http, "x")
    answer = poll(probe(md5("x"), ""))
    http.delete("/v1/cs/configs", params=KEY)
    assert answer().text == "d%02G%01\n"


def test_a_held_poll_lapses_empty(nacos: NacosServer, poll: Any) -> None:
    answer = poll(probe("", data_id="missing"))
    told = httpx.get(f"{nacos.http_url}/nacos/v1/cs/configs/listener?dataId=missing&group=G").json()
    assert told == {"collectStatus": 200, "lisentersGroupkeyStatus": {"127.0.0.1": ""}}
    nacos.advance(29.6)
    assert (answer().status_code, answer().content) == (200, b"")


@pytest.mark.parametrize("text", ["nonsense", "a\x02b\x01", "a\x02b\x02c\x02d\x02e\x01", "\x01"])
def test_bad_probes_are_refused(http: httpx.Client, text: str) -> None:
    answer = http.post(LISTENER, data={"Listening-Configs": text}, headers=HOLD)
    assert (answer.status_code, answer.text) == (400, "caused: invalid probeModify;")


def test_clone_wants_a_list(http: httpx.Client) -> None:
    assert http.post("/v1/cs/configs?clone=true&tenant=", content=json.dumps({"a": 1})).status_code == 400
    assert http.post("/v1/cs/configs?clone=true&tenant=", json=[]).json()["code"] == 100006
