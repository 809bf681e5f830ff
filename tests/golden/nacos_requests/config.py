"""Configuration over HTTP v1, v2, v3: publish, get, remove, CAS, beta, tags, search, history, import, export, clone."""

from __future__ import annotations

import hashlib
from typing import Any

from nacos_requests.steps import Case, Step, ask, case, delete, get, multipart, post

V1, V2, ADMIN, OPEN = "/v1/cs/configs", "/v2/cs/config", "/v3/admin/cs/config", "/v3/client/cs/config"
CONSOLE = "/v3/console/cs/config"
LONG = "x" * 300


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def of(name: str, group: str = "G", **more: Any) -> dict[str, Any]:
    """v1's and v2's parameters."""
    return {"dataId": f"golden.{name}", "group": group, **more}


def of3(name: str, group: str = "G", **more: Any) -> dict[str, Any]:
    """v3's parameters."""
    return {"dataId": f"golden.{name}", "groupName": group, **more}


def published(name: str, content: str = "one", **more: Any) -> Step:
    return post(V1, of(name, content=content, **more))


def gone(name: str, **more: Any) -> Step:
    return delete(V1, of(name, **more))


def _types() -> tuple[Step, ...]:
    kinds = ("text", "json", "xml", "yaml", "html", "properties", "toml", "unset", "nonsense", "JSON", "")
    return tuple(
        step
        for number, kind in enumerate(kinds)
        for step in (
            published(f"type-{number}", '{"a": 1}', type=kind),
            get(V1, of(f"type-{number}")),
            gone(f"type-{number}"),
        )
    )


BAD_KEYS: tuple[dict[str, Any], ...] = (
    {"group": "G", "content": "c"},
    {"dataId": "golden.bad", "content": "c"},
    {"dataId": "golden.bad", "group": "G"},
    {"dataId": "", "group": "G", "content": "c"},
    {"dataId": "golden.bad", "group": "", "content": "c"},
    {"dataId": "golden.bad", "group": "G", "content": ""},
    {"dataId": "golden.bad", "group": "G", "content": "  "},
    {"dataId": "golden bad", "group": "G", "content": "c"},
    {"dataId": "golden/bad", "group": "G", "content": "c"},
    {"dataId": "配置", "group": "G", "content": "c"},
    {"dataId": "golden.bad", "group": "G/G", "content": "c"},
    {"dataId": LONG, "group": "G", "content": "c"},
    {"dataId": "golden.bad", "group": LONG, "content": "c"},
    {"dataId": "golden.bad", "group": "G", "tenant": LONG, "namespaceId": LONG, "content": "c"},
    {"dataId": "golden.bad", "group": "G", "tenant": "a b", "namespaceId": "a b", "content": "c"},
    {"dataId": "golden.bad", "group": "G", "tenant": "a.b:c", "namespaceId": "a.b:c", "content": "c"},
    {"dataId": "golden.bad", "group": "G", "content": "c", "tag": "x" * 17},
    {"dataId": "golden.bad", "group": "G", "content": "c", "tag": "a b"},
    {"dataId": "golden.bad", "group": "G", "content": "c", "desc": "x" * 200},
    {"dataId": "golden.bad", "group": "G", "content": "c", "config_tags": "a,b,c,d,e,f", "configTags": "a,b,c,d,e,f"},
    {"dataId": "golden.bad", "group": "G", "content": "c", "config_tags": "x" * 65, "configTags": "x" * 65},
    {"dataId": "golden.bad", "group": "G", "content": "c", "use": "x" * 65},
    {"dataId": "golden.bad", "group": "G", "content": "c", "appName": "a b"},
)


def _as_v3(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"groupName" if name == "group" else name: value for name, value in parameters.items()}


PARTS = (
    {"group": "G"},
    {"dataId": "golden.none"},
    {"dataId": "golden none", "group": "G"},
    {"dataId": LONG, "group": "G"},
    {"dataId": "golden.none", "group": "G", "tenant": "no-such", "namespaceId": "no-such"},
    {"dataId": "golden.none", "group": "G", "tag": "t"},
    {"dataId": "golden.none", "group": "G", "tag": "x" * 17},
)

_V1_CASES = (
    case(
        "config-v1/publish-get-remove",
        get(V1, of("v1")),
        published("v1", "a: 1", type="yaml"),
        get(V1, of("v1")),
        get(V1, of("v1"), headers={"Accept": "application/json"}),
        published("v1", "a: 2", type="yaml"),
        get(V1, of("v1")),
        get(V1, of("v1", tenant="public")),
        get(V1, of("v1", tenant="null")),
        get(V1, of("v1", tenant="other")),
        gone("v1"),
        get(V1, of("v1")),
        gone("v1"),
    ),
    case("config-v1/types", *_types()),
    case(
        "config-v1/publish-refusals",
        *(post(V1, bad) for bad in BAD_KEYS),
        delete(V1, {"dataId": "golden.bad", "group": "G"}),
    ),
    case("config-v1/get-refusals", *(get(V1, bad) for bad in PARTS)),
    case("config-v1/remove-refusals", *(delete(V1, bad) for bad in PARTS)),
    case(
        "config-v1/query-and-form",
        ask("POST", V1, of("both", content="from the query"), form={"content": "from the form"}),
        get(V1, of("both")),
        ask("POST", V1, of("both", content="query only")),
        get(V1, of("both")),
        ask("POST", V1, json_body=of("both", content="c")),
        ask("POST", V1, of("both"), body="content=no-content-type"),
        gone("both"),
    ),
    case(
        "config-v1/unicode",
        published("unicode", "名: café ☕\r\n\ttab 😀", type="properties"),
        get(V1, of("unicode")),
        ask(
            "POST",
            V1,
            body="dataId=golden.unicode&group=G&content=caf%E9",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ),
        get(V1, of("unicode")),
        ask(
            "POST",
            V1,
            body="dataId=golden.unicode&group=G&content=caf%E9",
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=ISO-8859-1"},
        ),
        get(V1, of("unicode")),
        gone("unicode"),
    ),
    case(
        "config-v1/cas",
        post(V1, of("cas", content="first"), headers={"casMd5": md5("nothing")}),
        post(V1, of("cas", content="second"), headers={"casMd5": md5("first")}),
        post(V1, of("cas", content="third"), headers={"casMd5": md5("first")}),
        post(V1, of("cas", content="third", casMd5=md5("second"))),
        get(V1, of("cas")),
        gone("cas"),
    ),
    case(
        "config-v1/beta",
        published("beta", "plain"),
        get(V1, of("beta", beta="true")),
        post(V1, of("beta", content="beta"), headers={"betaIps": "127.0.0.1,10.9.9.9"}),
        get(V1, of("beta")),
        get(V1, of("beta"), headers={"X-Forwarded-For": "10.1.1.1"}),
        get(V1, of("beta"), headers={"X-Real-IP": "10.1.1.2"}),
        get(V1, of("beta", beta="true")),
        post(V1, of("beta", content="beta 2"), headers={"betaIps": "10.9.9.9"}),
        get(V1, of("beta")),
        delete(V1, of("beta", beta="true")),
        delete(V1, of("beta", beta="true")),
        get(V1, of("beta", beta="true")),
        get(V1, of("beta")),
        gone("beta"),
    ),
    case(
        "config-v1/beta-of-nothing",
        post(V1, of("beta-only", content="beta"), headers={"betaIps": "127.0.0.1"}),
        get(V1, of("beta-only")),
        delete(V1, of("beta-only", beta="true")),
        get(V1, of("beta-only")),
    ),
    case(
        "config-v1/tags",
        published("tag", "plain"),
        published("tag", "tagged", tag="blue"),
        get(V1, of("tag")),
        get(V1, of("tag", tag="blue")),
        get(V1, of("tag", tag="red")),
        get(V1, of("tag"), headers={"Vipserver-Tag": "blue"}),
        get(V1, of("tag"), headers={"Vipserver-Tag": "red"}),
        delete(V1, of("tag", tag="blue")),
        get(V1, of("tag", tag="blue")),
        get(V1, of("tag"), headers={"Vipserver-Tag": "blue"}),
        gone("tag"),
    ),
    case(
        "config-v1/encrypted",
        published("cipher-x", "ciphertext", encryptedDataKey="the-key"),
        get(V1, of("cipher-x")),
        get(V1, of("cipher-x", show="all")),
        gone("cipher-x"),
    ),
    case(
        "config-v1/detail",
        get(V1, of("detail", show="all")),
        get(f"{V1}/catalog", of("detail")),
        published(
            "detail",
            "c",
            type="json",
            appName="app",
            config_tags="a,b",
            desc="what",
            use="use",
            effect="eff",
            schema="{}",
            src_user="me",
        ),
        get(V1, of("detail", show="all")),
        get(f"{V1}/catalog", of("detail")),
        published("detail", "d"),
        get(V1, of("detail", show="all")),
        get(f"{V1}/catalog", of("detail")),
        get(V1, {"show": "all", "dataId": "golden.detail"}),
        get(f"{V1}/catalog", {"dataId": "golden.detail"}),
        gone("detail"),
    ),
    case(
        "config-v1/search",
        *(
            published(f"search-{n}", f"content {n}", tenant="golden-search", appName=app, type=kind, config_tags=tags)
            for n, app, kind, tags in ((1, "one", "text", "a"), (2, "two", "json", "b"), (3, "", "yaml", "a,b"))
        ),
        *(
            get(
                V1,
                {
                    "search": kind,
                    "dataId": "",
                    "group": "",
                    "tenant": "golden-search",
                    "pageNo": 1,
                    "pageSize": 10,
                    **more,
                },
            )
            for kind in ("accurate", "blur")
            for more in (
                {},
                {"dataId": "golden.search-1"},
                {"dataId": "*search-*"},
                {"dataId": "search"},
                {"group": "G"},
                {"appName": "one"},
                {"config_tags": "a"},
                {"config_tags": "a,b"},
                {"types": "json"},
                {"types": "json,yaml"},
                {"config_detail": "content 2"},
                {"pageSize": 2},
                {"pageSize": 2, "pageNo": 2},
                {"pageNo": 9},
                {"tenant": "golden-nobody"},
            )
        ),
        get(V1, {"search": "blur", "dataId": "", "group": "", "tenant": "golden-search", "pageSize": 10}),
        get(V1, {"search": "blur", "dataId": "", "group": "", "tenant": "golden-search", "pageNo": 1}),
        get(V1, {"search": "accurate", "group": "", "tenant": "golden-search", "pageNo": 1, "pageSize": 10}),
        get(V1, {"search": "accurate", "dataId": "", "tenant": "golden-search", "pageNo": 1, "pageSize": 10}),
        get(
            V1,
            {"search": "accurate", "dataId": "", "group": "", "tenant": "golden-search", "pageNo": 0, "pageSize": 10},
        ),
        get(
            V1,
            {"search": "accurate", "dataId": "", "group": "", "tenant": "golden-search", "pageNo": "x", "pageSize": 10},
        ),
        get(V1, {"search": "other", "dataId": "", "group": "", "tenant": "golden-search", "pageNo": 1, "pageSize": 10}),
        *(gone(f"search-{n}", tenant="golden-search") for n in (1, 2, 3)),
    ),
    case(
        "config-v1/remove-by-ids",
        published("ids-1", tenant="golden-ids"),
        get(V1, of("ids-1", tenant="golden-ids", show="all"), save={"first": "id"}),
        published("ids-2", tenant="golden-ids"),
        get(V1, of("ids-2", tenant="golden-ids", show="all"), save={"second": "id"}),
        delete(V1, {"delType": "ids", "ids": "{{first}},{{second}}", "tenant": "golden-ids"}),
        get(V1, of("ids-1", tenant="golden-ids")),
        get(V1, of("ids-2", tenant="golden-ids")),
        delete(V1, {"delType": "ids", "ids": "{{first}}", "tenant": "golden-ids"}),
        delete(V1, {"delType": "ids", "ids": "x", "tenant": "golden-ids"}),
        delete(V1, {"delType": "ids", "tenant": "golden-ids"}),
    ),
)

PROBE = "golden.listen\x02G\x02{}\x01"
PROBE_TENANT = "golden.listen\x02G\x02{}\x02golden-listen\x01"
_LISTEN_CASES = (
    case(
        "config-v1/listener",
        published("listen", "one"),
        published("listen", "one", tenant="golden-listen"),
        post(f"{V1}/listener", {"Listening-Configs": PROBE.format("")}),
        post(f"{V1}/listener", {"Listening-Configs": PROBE.format(md5("one"))}),
        post(f"{V1}/listener", {"Listening-Configs": PROBE.format("")}, headers={"Long-Pulling-Timeout": "30000"}),
        post(
            f"{V1}/listener", {"Listening-Configs": PROBE_TENANT.format("")}, headers={"Long-Pulling-Timeout": "30000"}
        ),
        post(
            f"{V1}/listener",
            {"Listening-Configs": PROBE.format("") + PROBE_TENANT.format("")},
            headers={"Long-Pulling-Timeout": "30000"},
        ),
        post(
            f"{V1}/listener",
            {"Listening-Configs": "golden.listen\x02G\x02\x02public\x01"},
            headers={"Long-Pulling-Timeout": "30000"},
        ),
        post(
            f"{V1}/listener",
            {"Listening-Configs": "golden.listen\x02G\x02\x02\x01"},
            headers={"Long-Pulling-Timeout": "30000"},
        ),
        post(
            f"{V1}/listener",
            {"Listening-Configs": PROBE.format(md5("one"))},
            headers={"Long-Pulling-Timeout": "30000", "Long-Pulling-Timeout-No-Hangup": "true"},
        ),
        post(f"{V1}/listener", {}),
        post(f"{V1}/listener", {"Listening-Configs": ""}),
        post(f"{V1}/listener", {"Listening-Configs": "nonsense"}),
        post(f"{V1}/listener", {"Listening-Configs": "a\x02b\x02c\x02d\x02e\x01"}),
        get(f"{V1}/listener", of("listen")),
        get(f"{V1}/listener", {"dataId": "golden.listen"}),
        get("/v1/cs/listener", {"ip": "10.255.255.1"}),
        get("/v1/cs/listener", {}),
        gone("listen"),
        gone("listen", tenant="golden-listen"),
    ),
)

HISTORY = "/v1/cs/history"
_HISTORY_CASES = (
    case(
        "config-v1/history",
        published("history", "one", tenant="golden-hist", type="yaml", appName="app"),
        published("history", "two", tenant="golden-hist"),
        get(V1, of("history", tenant="golden-hist", show="all"), save={"id": "id"}),
        gone("history", tenant="golden-hist"),
        get(
            HISTORY,
            of("history", tenant="golden-hist", search="accurate", pageNo=1, pageSize=10),
            save={"nid": "pageItems.0.id"},
        ),
        get(HISTORY, of("history", tenant="golden-hist", search="accurate", pageNo=2, pageSize=1)),
        get(HISTORY, of("history", tenant="golden-hist", search="accurate")),
        get(HISTORY, of("history", tenant="golden-hist")),
        get(HISTORY, of("history", tenant="golden-hist", nid="{{nid}}")),
        get(HISTORY, of("other", tenant="golden-hist", nid="{{nid}}")),
        get(HISTORY, of("history", nid="{{nid}}")),
        get(HISTORY, of("history", tenant="golden-hist", nid="999999999")),
        get(HISTORY, of("history", tenant="golden-hist", nid="x")),
        get(f"{HISTORY}/previous", of("history", tenant="golden-hist", id="{{id}}")),
        get(f"{HISTORY}/previous", of("history", tenant="golden-hist", id="999999999")),
        get(f"{HISTORY}/previous", of("history", tenant="golden-hist")),
        get(HISTORY, {"search": "accurate", "group": "G"}),
        get(HISTORY, of("nobody", search="accurate")),
        published("history-kept", "kept", tenant="golden-hist"),
        get(f"{HISTORY}/configs", {"tenant": "golden-hist"}),
        get(f"{HISTORY}/configs", {"tenant": "golden-nobody"}),
        get(f"{HISTORY}/configs", {}),
        gone("history-kept", tenant="golden-hist"),
    ),
)

_ENTRIES = {
    "G/golden.in-1": "a: 1",
    "G/golden.in-2.json": "{}",
    ".metadata.yml": "metadata:\n"
    "- {appName: app, dataId: golden.in-1, desc: d, group: G, type: yaml}\n"
    "- {appName: '', dataId: golden.in-2.json, desc: '', group: G, type: json}\n",
}
_OLD_ENTRIES = {"G/golden.in-1": "a: 1", "G/golden.in-2.json": "{}", ".meta.yml": "G.golden.in-2~json.app=old\r\n"}
NS = {"namespaceName": "golden move", "namespaceId": "golden-move"}


NAMESPACE_2, NAMESPACE_3 = "/v2/console/namespace", "/v3/admin/core/namespace"


def _made() -> tuple[Step, ...]:
    """The namespace to move to: each version has one of the two calls on this port."""
    return post(NAMESPACE_2, NS), post(NAMESPACE_3, NS)


def _unmade() -> tuple[Step, ...]:
    gone = {"namespaceId": "golden-move"}
    return delete(NAMESPACE_2, gone), delete(NAMESPACE_3, gone)


_MOVE_CASES = (
    case(
        "config-v1/export",
        published("out-1", "a: 1", tenant="golden-out", type="yaml", appName="app", desc="d", config_tags="t"),
        published("out-2.json", "{}", tenant="golden-out", type="json"),
        get(V1, of("out-1", tenant="golden-out", show="all"), save={"id": "id"}),
        get(V1, {"export": "true", "group": "", "dataId": "", "tenant": "golden-out", "ids": "", "appName": ""}),
        get(V1, {"exportV2": "true", "group": "", "dataId": "", "tenant": "golden-out", "ids": "", "appName": ""}),
        get(V1, {"exportV2": "true", "tenant": "golden-out", "ids": "{{id}}"}),
        get(V1, {"exportV2": "true", "tenant": "golden-out", "dataId": "golden.out-2.json", "group": "G"}),
        get(V1, {"exportV2": "true", "tenant": "golden-nobody"}),
        gone("out-1", tenant="golden-out"),
        gone("out-2.json", tenant="golden-out"),
    ),
    case(
        "config-v1/import",
        *_made(),
        multipart(V1, {"import": "true", "namespace": "golden-move"}, _ENTRIES),
        multipart(V1, {"import": "true", "namespace": "golden-move"}, _ENTRIES),
        multipart(V1, {"import": "true", "namespace": "golden-move", "policy": "SKIP"}, _ENTRIES),
        multipart(V1, {"import": "true", "namespace": "golden-move", "policy": "OVERWRITE"}, _OLD_ENTRIES),
        get(V1, of("in-1", tenant="golden-move", show="all")),
        get(V1, of("in-2.json", tenant="golden-move", show="all")),
        multipart(V1, {"import": "true", "namespace": "golden-move", "policy": "NONSENSE"}, _ENTRIES),
        multipart(V1, {"import": "true", "namespace": "golden-nobody"}, _ENTRIES),
        multipart(V1, {"import": "true", "namespace": "golden-move"}, {}),
        multipart(V1, {"import": "true", "namespace": "golden-move"}, None),
        multipart(V1, {"import": "true", "namespace": "golden-move"}, {**_ENTRIES, ".metadata.yml": "nonsense"}),
        multipart(
            V1, {"import": "true", "namespace": "golden-move", "policy": "SKIP"}, {**_ENTRIES, "G/golden.in-3": "extra"}
        ),
        multipart(
            V1,
            {"import": "true", "namespace": "golden-move", "policy": "SKIP"},
            {".metadata.yml": _ENTRIES[".metadata.yml"]},
        ),
        gone("in-1", tenant="golden-move"),
        gone("in-2.json", tenant="golden-move"),
        *_unmade(),
    ),
    case(
        "config-v1/clone",
        *_made(),
        published("clone", "c", type="json", appName="app", desc="d", config_tags="t"),
        get(V1, of("clone", show="all"), save={"id": "id"}),
        ask(
            "POST",
            V1,
            {"clone": "true", "tenant": "golden-move"},
            json_body=[{"cfgId": "{{id}}", "dataId": "", "group": ""}],
        ),
        ask("POST", V1, {"clone": "true", "tenant": "golden-move"}, json_body=[{"cfgId": "{{id}}"}]),
        ask("POST", V1, {"clone": "true", "tenant": "golden-move", "policy": "SKIP"}, json_body=[{"cfgId": "{{id}}"}]),
        ask(
            "POST",
            V1,
            {"clone": "true", "tenant": "golden-move", "policy": "OVERWRITE"},
            json_body=[{"cfgId": "{{id}}"}],
        ),
        ask(
            "POST",
            V1,
            {"clone": "true", "tenant": "golden-move"},
            json_body=[{"cfgId": "{{id}}", "dataId": "golden.cloned", "group": "H"}],
        ),
        get(V1, of("clone", tenant="golden-move", show="all")),
        get(V1, {"dataId": "golden.cloned", "group": "H", "tenant": "golden-move"}),
        ask("POST", V1, {"clone": "true", "tenant": "golden-nobody"}, json_body=[{"cfgId": "{{id}}"}]),
        ask("POST", V1, {"clone": "true", "tenant": "golden-move"}, json_body=[{"cfgId": 999999999}]),
        ask("POST", V1, {"clone": "true", "tenant": "golden-move"}, json_body=[]),
        ask("POST", V1, {"clone": "true", "tenant": "golden-move"}, json_body={"a": 1}),
        ask(
            "POST",
            V1,
            {"clone": "true", "tenant": "golden-move"},
            body="nonsense",
            headers={"Content-Type": "application/json"},
        ),
        gone("clone"),
        gone("clone", tenant="golden-move"),
        delete(V1, {"dataId": "golden.cloned", "group": "H", "tenant": "golden-move"}),
        *_unmade(),
    ),
)

_V2_CASES = (
    case(
        "config-v2/publish-get-remove",
        get(V2, of("v2")),
        post(V2, of("v2", content="one", type="json", appName="app", srcUser="me", configTags="a", desc="d")),
        get(V2, of("v2")),
        get(V2, of("v2", namespaceId="public")),
        get(V2, of("v2", namespaceId="golden-other")),
        post(V2, of("v2", content="two"), headers={"casMd5": md5("nothing")}),
        post(V2, of("v2", content="two"), headers={"casMd5": md5("one")}),
        post(V2, of("v2", content="blue", tag="blue")),
        get(V2, of("v2", tag="blue")),
        get(V2, of("v2", tag="red")),
        delete(V2, of("v2", tag="blue")),
        post(V2, of("v2", content="beta"), headers={"betaIps": "127.0.0.1"}),
        get(V2, of("v2")),
        delete(V1, of("v2", beta="true")),
        get(V1, of("v2", show="all")),
        delete(V2, of("v2")),
        get(V2, of("v2")),
        delete(V2, of("v2")),
    ),
    case(
        "config-v2/publish-refusals",
        *(post(V2, bad) for bad in BAD_KEYS),
        delete(V2, {"dataId": "golden.bad", "group": "G"}),
    ),
    case("config-v2/get-refusals", *(get(V2, bad) for bad in PARTS)),
    case("config-v2/remove-refusals", *(delete(V2, bad) for bad in PARTS)),
    case(
        "config-v2/json-body",
        ask("POST", V2, json_body=of("v2-json", content="c", type="json")),
        get(V2, of("v2-json")),
        delete(V2, of("v2-json")),
    ),
    case(
        "config-v2/search",
        post(V2, of("v2-search-1", content="one", namespaceId="golden-search2", type="json")),
        post(V2, of("v2-search-2", content="two", namespaceId="golden-search2")),
        *(
            get(
                f"{V2}/searchDetail",
                {"namespaceId": "golden-search2", "dataId": "", "group": "", "pageNo": 1, "pageSize": 10, **more},
            )
            for more in (
                {},
                {"search": "accurate"},
                {"search": "accurate", "dataId": "golden.v2-search-1"},
                {"dataId": "*v2-search*"},
                {"dataId": "search"},
                {"config_detail": "two"},
                {"configDetail": "two"},
                {"types": "json"},
                {"pageSize": 1},
                {"pageNo": 0},
                {"search": "other"},
            )
        ),
        get(f"{V2}/searchDetail", {"namespaceId": "golden-search2"}),
        delete(V2, of("v2-search-1", namespaceId="golden-search2")),
        delete(V2, of("v2-search-2", namespaceId="golden-search2")),
    ),
    case(
        "config-v2/history",
        post(V2, of("v2-history", content="one", namespaceId="golden-hist2", type="yaml")),
        post(V2, of("v2-history", content="two", namespaceId="golden-hist2")),
        get(V1, of("v2-history", tenant="golden-hist2", show="all"), save={"id": "id"}),
        get("/v2/cs/history/list", of("v2-history", namespaceId="golden-hist2"), save={"nid": "data.pageItems.0.id"}),
        get("/v2/cs/history/list", of("v2-history", namespaceId="golden-hist2", pageNo=2, pageSize=1)),
        get("/v2/cs/history/list", {"group": "G"}),
        get("/v2/cs/history", of("v2-history", namespaceId="golden-hist2", nid="{{nid}}")),
        get("/v2/cs/history", of("other", namespaceId="golden-hist2", nid="{{nid}}")),
        get("/v2/cs/history", of("v2-history", namespaceId="golden-hist2", nid="999999999")),
        get("/v2/cs/history", of("v2-history", namespaceId="golden-hist2")),
        get("/v2/cs/history/detail", of("v2-history", namespaceId="golden-hist2", nid="{{nid}}")),
        get("/v2/cs/history/previous", of("v2-history", namespaceId="golden-hist2", id="{{id}}")),
        get("/v2/cs/history/previous", of("v2-history", namespaceId="golden-hist2", id="999999999")),
        get("/v2/cs/history/previous", of("v2-history", namespaceId="golden-hist2")),
        get("/v2/cs/history/configs", {"namespaceId": "golden-hist2"}),
        get("/v2/cs/history/configs", {}),
        delete(V2, of("v2-history", namespaceId="golden-hist2")),
    ),
)

BAD_KEYS_3 = tuple(_as_v3(bad) for bad in BAD_KEYS)
PARTS_3 = tuple(_as_v3(bad) for bad in PARTS)


def _v3(name: str, base: str, port: str) -> tuple[Case, ...]:
    """The admin API and the console answer alike, on other paths."""
    console = port == "console"
    at: dict[str, Any] = {"port": port}
    root = "/v3/console" if console else "/v3/admin"
    by_ip = f"{base}/listener/ip" if console else "/v3/admin/cs/listener"
    batch, exported = (f"{base}/batchDelete", f"{base}/export2") if console else (f"{base}/batch", f"{base}/export")
    target = "targetNamespaceId" if console else "namespaceId"
    key, tenant = f"{name}-x", f"golden-{name}"
    space = {"namespaceId": tenant}
    return (
        case(
            f"config-{name}/publish-get-remove",
            get(base, of3(key), **at),
            post(
                base,
                of3(key, content="one", type="json", appName="app", srcUser="me", configTags="a,b", desc="d"),
                **at,
            ),
            get(base, of3(key), **at),
            get(base, of3(key, namespaceId="public"), **at),
            get(base, of3(key, namespaceId="golden-other"), **at),
            post(base, of3(key, content="two"), headers={"casMd5": md5("nothing")}, **at),
            post(base, of3(key, content="two"), headers={"casMd5": md5("one")}, **at),
            post(base, of3(key, content="two again", type="yaml"), **at),
            get(base, of3(key), **at),
            post(base, of3(key, content="blue", tag="blue"), **at),
            delete(base, of3(key, tag="blue"), **at),
            delete(base, of3(key), **at),
            get(base, of3(key), **at),
            delete(base, of3(key), **at),
            on_2=False,
        ),
        case(
            f"config-{name}/publish-refusals",
            *(post(base, bad, **at) for bad in BAD_KEYS_3),
            delete(base, {"dataId": "golden.bad", "groupName": "G"}, **at),
            on_2=False,
        ),
        case(f"config-{name}/get-refusals", *(get(base, bad, **at) for bad in PARTS_3), on_2=False),
        case(f"config-{name}/remove-refusals", *(delete(base, bad, **at) for bad in PARTS_3), on_2=False),
        case(
            f"config-{name}/beta",
            post(base, of3(f"{key}-beta", content="plain"), **at),
            get(f"{base}/beta", of3(f"{key}-beta"), **at),
            post(base, of3(f"{key}-beta", content="beta"), headers={"betaIps": "127.0.0.1,10.1.1.1"}, **at),
            get(f"{base}/beta", of3(f"{key}-beta"), **at),
            get(base, of3(f"{key}-beta"), **at),
            get(OPEN, of3(f"{key}-beta")),
            delete(f"{base}/beta", of3(f"{key}-beta"), **at),
            delete(f"{base}/beta", of3(f"{key}-beta"), **at),
            get(f"{base}/beta", {"dataId": "golden.x"}, **at),
            get(OPEN, of3(f"{key}-beta")),
            delete(base, of3(f"{key}-beta"), **at),
            on_2=False,
        ),
        case(
            f"config-{name}/list",
            *(
                post(
                    base,
                    of3(f"{key}-{n}", content=f"content {n}", type=kind, appName=app, configTags=tags, **space),
                    **at,
                )
                for n, app, kind, tags in ((1, "one", "text", "a"), (2, "two", "json", "b"), (3, "", "yaml", "a,b"))
            ),
            *(
                get(f"{base}/list", {"dataId": "", "groupName": "", "pageNo": 1, "pageSize": 10, **space, **more}, **at)
                for more in (
                    {},
                    {"search": "accurate"},
                    {"search": "accurate", "dataId": f"golden.{key}-1"},
                    {"dataId": f"*{key}*"},
                    {"dataId": key},
                    {"appName": "one"},
                    {"configTags": "a"},
                    {"type": "json"},
                    {"configDetail": "content 2"},
                    {"pageSize": 2, "pageNo": 2},
                    {"pageNo": 0},
                    {"pageNo": "x"},
                    {"search": "other"},
                    {"namespaceId": "golden-nobody"},
                )
            ),
            get(f"{base}/list", space, **at),
            get(f"{base}/list", {"pageNo": 1, "pageSize": 10, **space}, **at),
            *(delete(base, of3(f"{key}-{n}", **space), **at) for n in (1, 2, 3)),
            on_2=False,
        ),
        case(
            f"config-{name}/batch-delete",
            post(base, of3(f"{key}-b1", content="c"), **at),
            get(base, of3(f"{key}-b1"), save={"one": "data.id"}, **at),
            post(base, of3(f"{key}-b2", content="c"), **at),
            get(base, of3(f"{key}-b2"), save={"two": "data.id"}, **at),
            delete(batch, {"ids": "{{one}},{{two}}"}, **at),
            get(base, of3(f"{key}-b1"), **at),
            delete(batch, {"ids": "{{one}}"}, **at),
            delete(batch, {"ids": "x"}, **at),
            delete(batch, {}, **at),
            on_2=False,
        ),
        case(
            f"config-{name}/listeners",
            get(f"{base}/listener", of3(f"{key}-nobody"), **at),
            get(f"{base}/listener", {"dataId": "golden.x"}, **at),
            get(by_ip, {"ip": "10.255.255.1"}, **at),
            get(by_ip, {}, **at),
            on_2=False,
        ),
        case(
            f"config-{name}/history",
            post(base, of3(f"{key}-h", content="one", type="yaml", appName="app", **space), **at),
            get(base, of3(f"{key}-h", **space), save={"id": "data.id"}, **at),
            post(base, of3(f"{key}-h", content="two", **space), **at),
            get(f"{root}/cs/history/list", of3(f"{key}-h", **space), save={"nid": "data.pageItems.0.id"}, **at),
            get(f"{root}/cs/history/list", of3(f"{key}-h", pageNo=2, pageSize=1, **space), **at),
            get(f"{root}/cs/history/list", {"groupName": "G", **space}, **at),
            get(f"{root}/cs/history", of3(f"{key}-h", nid="{{nid}}", **space), **at),
            get(f"{root}/cs/history", of3("other", nid="{{nid}}", **space), **at),
            get(f"{root}/cs/history", of3(f"{key}-h", nid="999999999", **space), **at),
            get(f"{root}/cs/history", of3(f"{key}-h", nid="x", **space), **at),
            get(f"{root}/cs/history", of3(f"{key}-h", **space), **at),
            get(f"{root}/cs/history/previous", of3(f"{key}-h", id="{{id}}", **space), **at),
            get(f"{root}/cs/history/previous", of3(f"{key}-h", id="999999999", **space), **at),
            get(f"{root}/cs/history/previous", of3(f"{key}-h", **space), **at),
            get(f"{root}/cs/history/configs", space, **at),
            get(f"{root}/cs/history/configs", {"namespaceId": "golden-nobody"}, **at),
            delete(base, of3(f"{key}-h", **space), **at),
            get(f"{root}/cs/history/list", of3(f"{key}-h", **space), **at),
            on_2=False,
        ),
        case(
            f"config-{name}/export",
            post(
                base,
                of3(f"{key}-e1", content="a: 1", type="yaml", appName="app", desc="d", configTags="t", **space),
                **at,
            ),
            post(base, of3(f"{key}-e2.json", content="{}", type="json", **space), **at),
            get(base, of3(f"{key}-e1", **space), save={"id": "data.id"}, **at),
            get(exported, space, **at),
            get(exported, {"ids": "{{id}}", **space}, **at),
            get(exported, {"dataId": f"golden.{key}-e2.json", "groupName": "G", **space}, **at),
            get(exported, {"namespaceId": "golden-nobody"}, **at),
            delete(base, of3(f"{key}-e1", **space), **at),
            delete(base, of3(f"{key}-e2.json", **space), **at),
            on_2=False,
        ),
        case(
            f"config-{name}/import",
            *_made(),
            multipart(f"{base}/import", {"namespaceId": "golden-move"}, _ENTRIES, **at),
            multipart(f"{base}/import", {"namespaceId": "golden-move"}, _ENTRIES, **at),
            multipart(f"{base}/import", {"namespaceId": "golden-move", "policy": "SKIP"}, _ENTRIES, **at),
            multipart(f"{base}/import", {"namespaceId": "golden-move", "policy": "OVERWRITE"}, _ENTRIES, **at),
            multipart(f"{base}/import", {"namespaceId": "golden-nobody"}, _ENTRIES, **at),
            multipart(f"{base}/import", {"namespaceId": "golden-move"}, {}, **at),
            multipart(f"{base}/import", {"namespaceId": "golden-move"}, None, **at),
            multipart(
                f"{base}/import", {"namespaceId": "golden-move"}, {**_ENTRIES, ".metadata.yml": "nonsense"}, **at
            ),
            get(base, of3("in-1", namespaceId="golden-move"), **at),
            delete(base, of3("in-1", namespaceId="golden-move"), **at),
            delete(base, of3("in-2.json", namespaceId="golden-move"), **at),
            *_unmade(),
            on_2=False,
        ),
        case(
            f"config-{name}/clone",
            *_made(),
            post(base, of3(f"{key}-c", content="c", type="json", appName="app", desc="d"), **at),
            get(base, of3(f"{key}-c"), save={"id": "data.id"}, **at),
            *(
                ask("POST", f"{base}/clone", {target: space, **more}, json_body=body, **at)
                for space, more, body in (
                    ("golden-move", {}, [{"configId": "{{id}}", "dataId": "golden.cloned-3", "groupName": "H"}]),
                    ("golden-move", {}, [{"configId": "{{id}}", "dataId": "golden.cloned-3", "groupName": "H"}]),
                    (
                        "golden-move",
                        {"policy": "SKIP"},
                        [{"configId": "{{id}}", "dataId": "golden.cloned-3", "groupName": "H"}],
                    ),
                    (
                        "golden-move",
                        {"policy": "OVERWRITE"},
                        [{"configId": "{{id}}", "dataId": "golden.cloned-3", "groupName": "H"}],
                    ),
                    ("golden-nobody", {}, [{"configId": "{{id}}"}]),
                    ("golden-move", {}, [{"configId": 999999999}]),
                    ("golden-move", {}, []),
                )
            ),
            get(base, {"dataId": "golden.cloned-3", "groupName": "H", "namespaceId": "golden-move"}, **at),
            delete(base, {"dataId": "golden.cloned-3", "groupName": "H", "namespaceId": "golden-move"}, **at),
            delete(base, of3(f"{key}-c"), **at),
            *_unmade(),
            on_2=False,
        ),
    )


_OPEN_CASES = (
    case(
        "config-v3/open",
        get(OPEN, of3("open")),
        post(ADMIN, of3("open", content="a: 1", type="yaml")),
        get(OPEN, of3("open")),
        get(OPEN, of3("open", namespaceId="public")),
        get(OPEN, of3("open", namespaceId="golden-other")),
        get(OPEN, of3("open", tag="t")),
        delete(ADMIN, of3("open")),
        *(get(OPEN, bad) for bad in PARTS_3),
        post(OPEN, of3("open", content="c")),
        on_2=False,
    ),
)

CASES = (
    *_V1_CASES,
    *_LISTEN_CASES,
    *_HISTORY_CASES,
    *_MOVE_CASES,
    *_V2_CASES,
    *_v3("admin", ADMIN, "main"),
    *_v3("console", CONSOLE, "console"),
    *_OPEN_CASES,
)
