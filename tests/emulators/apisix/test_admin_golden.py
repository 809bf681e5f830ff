"""What a real APISIX 3.18.0 answered on its Admin API, asked of ours: the suites admin-* of tests/golden/apisix."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from harness.emulators.apisix.admin import make_admin
from harness.emulators.apisix.etcd import Etcd
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.resources.prepare import make_catalogue, make_prepare
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.emulators.apisix.store import Store
from harness.etcd_process import EtcdProcess

GOLDEN = Path(__file__).parents[2] / "golden" / "apisix"
#: the real list has plugins that are not emulated, so this one is compared by a test of its own
PLUGIN_LIST = GOLDEN / "admin-api" / "plugins-list.json"
CASES = sorted(set(GOLDEN.glob("admin-*/*.json")) - {PLUGIN_LIST})
KEY = "the-key"

#: added by the sockets, or tested there
BY_THE_SERVER = {"date", "connection", "transfer-encoding", "content-length", "server"}
VARYING = {"<int>": r"\d+", "<genid>": r"\d{20}", "<any>": r".*"}


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdProcess]:
    with EtcdProcess() as process:
        yield process


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_answers_as_the_real_one(path: Path, etcd: EtcdProcess) -> None:
    case = json.loads(path.read_text())
    missing = [plugin for plugin in case.get("plugins", ()) if plugin not in BY_NAME]
    if missing:
        pytest.skip(f"needs plugins that are not emulated: {missing}")
    assert asyncio.run(played(case, etcd)) == []


def test_plugins_are_listed_in_the_real_order() -> None:
    real = json.loads(json.loads(PLUGIN_LIST.read_text())["steps"][0]["expect"]["text"])
    ours = make_catalogue(Settings(), BY_NAME).by_priority()
    assert [name for name in ours if name in real] == [name for name in real if name in ours]


async def played(case: dict[str, Any], etcd: EtcdProcess) -> list[str]:
    """What differs, step by step."""
    settings = Settings(admin_keys=(AdminKey("admin", KEY),))
    client = Etcd([etcd.url], timeout=5)
    await client.delete("/apisix/", prefix=True)
    store = Store(client, "/apisix", make_prepare(settings))
    await store.start()
    try:
        return await _play(case, make_admin(store, settings))
    finally:
        await store.stop()


async def _play(case: dict[str, Any], app: App) -> list[str]:
    known = {"admin_key": KEY, "run": "12345678"}
    differences: list[str] = []
    for step in (*case.get("setup", ()), *case["steps"]):
        asked = step["request"]
        if asked["port"] != "admin":
            continue
        answer = app(_request(asked, known))
        response = answer if isinstance(answer, Response) else await answer
        for name, place in step.get("save", {}).items():
            known[name] = _at(json.loads(response.body or b"null"), place.removeprefix("json:"))
        wanted = [step["expect"], *step.get("or_expect", ())]
        found = [_differences(expected, response, asked.get("view")) for expected in wanted]
        if all(found):
            differences.append(f"{asked['method']} {asked['target']}: {found[0]}")
    return differences


def _request(asked: dict[str, Any], known: dict[str, str]) -> Request:
    def fill(text: str) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda found: known[found[1]], text)

    headers = Headers.of((name, fill(value)) for name, value in asked.get("headers", ()))
    if asked.get("key") is not False:
        headers.add("X-API-KEY", KEY)
    body = _body(asked.get("body", ""))
    path, _, query = fill(asked["target"]).partition("?")
    return Request(asked["method"], asked["target"], unquote(path), query, headers, body)


def _body(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, list):
        return b"".join(_body(part) for part in body)
    if "base64" in body:
        return b64decode(body["base64"])
    return _body(body["repeat"][0]) * int(body["repeat"][1])


def _differences(expected: dict[str, Any], response: Response, view: dict[str, Any] | None) -> list[str]:
    found = [] if response.status == expected["status"] else [f"status {response.status}, not {expected['status']}"]
    if "<html>" in expected.get("text", ""):
        found += [] if response.body is None else ["the body should be nginx's page"]
    else:
        found += _body_differences(expected, (response.body or b"").decode(), view)
    ours = {(name.lower(), value) for name, value in response.headers}
    theirs = {(name, value) for name, value in expected["headers"] if name not in BY_THE_SERVER}
    if "text/html" not in str(expected["headers"]) and ours - {("server", "openresty")} != theirs:
        found.append(f"headers {sorted(ours ^ theirs)}")
    return found


def _body_differences(expected: dict[str, Any], body: str, view: dict[str, Any] | None) -> list[str]:
    if view is not None:
        same = _view(body, view) == expected["view"]
        return [] if same else [f"{_view(body, view)!r} instead of {expected['view']!r}"]
    if "json" in expected:
        same = body.endswith("\n") and _fits(expected["json"], json.loads(body))
        return [] if same else [f"{body} instead of {json.dumps(expected['json'])}"]
    text = re.sub(r"\d{20}", "<genid>", body)
    return [] if text == expected["text"] else [f"{text!r} instead of {expected['text']!r}"]


def _view(body: str, view: dict[str, Any]) -> Any:
    if "path" in view:
        found = _at(json.loads(body), view["path"])
        return sorted(found) if view.get("keys") else found
    for pattern, replacement in view["sub"]:
        body = re.sub(pattern, replacement, body)
    return body


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _fits(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(_fits(expected[name], found[name]) for name in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_fits, expected, found))
    if isinstance(expected, str) and "<" in expected:
        pattern = re.sub("|".join(VARYING), lambda mark: VARYING[mark[0]], re.escape(expected))
        return re.fullmatch(pattern, str(found)) is not None
    return bool(expected == found) and type(expected) is type(found)
