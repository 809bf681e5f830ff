"""`harness explain`: the way of a request through the gateway as a tree, imagined or really sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from harness.clients.http import Connection
from harness.errors import SpecError
from harness.report import decision_text, miss_text

Json = Any
REQUEST_ID = "X-Request-Id"


def explain(endpoints: Mapping[str, Json], method: str, uri: str, headers: Sequence[str], *, send: bool) -> str:
    """The tree of METHOD URI with `Name: value` headers. Raises SpecError for a header that isn't one."""
    fields = [_field(header) for header in headers]
    if not any(name.lower() == "host" for name, _ in fields):
        # a request that is really sent has one, and routes may ask for it
        fields.append(("Host", urlsplit(endpoints["gateway"]["http"]).netloc))
    control = Connection(endpoints["control"]["url"])
    asked = {"method": method, "uri": uri, "headers": fields}
    plan = control.checked("POST", "/_harness/explain", json.dumps(asked)).json()
    lines = list(_plan_lines(plan))
    if send:
        lines += ["", "really sent:", _sent(endpoints, control, method, uri, fields)]
    return "\n".join(lines)


def _field(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    if not colon or not name.strip():
        raise SpecError(f"{header!r} is no header", where="-H", mend="write it as 'Name: value'")
    return name.strip(), value.strip()


def _sent(
    endpoints: Mapping[str, Json], control: Connection, method: str, uri: str, fields: Sequence[tuple[str, str]]
) -> str:
    given = {name.lower(): value for name, value in fields}
    id = given.get(REQUEST_ID.lower()) or str(uuid4())
    gateway = Connection(endpoints["gateway"]["http"])
    answer = gateway.ask(method, uri, headers={**dict(fields), REQUEST_ID: id})
    entries = control.checked("GET", f"/_harness/journal?last=1&request_id={id}").json()["entries"]
    told = "\n".join(map(decision_text, entries)) or "the gateway refused it before it was a request"
    return f"{told}\n  body      {_body(answer.text)}"


def _body(text: str) -> str:
    """What an answer says; of an HTML page its title, which is all that nginx's have."""
    title = re.search(r"<title>(.*?)</title>", text, re.S | re.I) if text.lstrip()[:1] == "<" else None
    return f"a page: {title[1].strip()}" if title else text[:500].strip()


def _plan_lines(plan: Mapping[str, Json]) -> Iterator[str]:
    request = plan["request"]
    yield f"{request['method']} {request['uri']}"
    route = plan["route"]
    yield f"├─ route {_route_text(route)}" if route else "├─ route: none matches → 404"
    for miss in plan["near_misses"]:
        yield f"│    {miss_text(miss)}"
    if "answer" in plan:
        yield f"└─ answer {plan['answer']['status']}: {plan['answer']['why']}"
        return
    for phase in plan["phases"]:
        yield f"├─ {phase['phase']}: {', '.join(phase['plugins'])}"
    yield from _upstream_lines(plan["upstream"])


def _route_text(route: Mapping[str, Json]) -> str:
    hosts = f" on {', '.join(route['hosts'])}" if route["hosts"] else ""
    return f"{route['id']}: {', '.join(route['uris'])}{hosts}"


def _upstream_lines(upstream: Mapping[str, Json]) -> Iterator[str]:
    if "answer" in upstream:
        yield f"└─ answer {upstream['answer']}: {upstream['why']}"
        return
    tries = "one try" if upstream["tries"] == 1 else f"at most {upstream['tries']} tries"
    yield f"└─ upstream {upstream['key']} over {upstream['scheme']}, {tries}"
    for node in upstream["nodes"] or ():
        yield f"     {node['address']} weight {node['weight']:g} priority {node['priority']}"
    if not upstream["nodes"]:
        yield "     no node → 503"
