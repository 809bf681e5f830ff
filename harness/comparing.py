"""`harness compare`: the same requests on several engines, and every difference in status, header and body.

A run records what went between the test and the gateway, and what Nacos' HTTP API answers to a fixed list of calls.
Two recordings are compared exchange by exchange; HEADERS and VALUES say what may differ and why.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.clients.http import Connection
from harness.errors import HarnessError, SpecError

if TYPE_CHECKING:
    import httpx

    from harness.stack import Stack


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; `name` is unique in a recording. Header names are in lower case."""

    name: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: str


class Expected(NamedTuple):
    """A difference that is none: what it is about (a header's name, or a pattern within values), and the reason."""

    about: str
    reason: str


#: Headers that differ from one answer to the next, on one engine too.
HEADERS: Sequence[Expected] = (
    Expected("date", "the time of the answer"),
    Expected("x-request-id", "made anew for each request"),
    Expected("x-served-by", "which replica took the request is the balancer's choice"),
    Expected("x-ratelimit-reset", "counts down in real time"),
    Expected("content-length", "follows the body, which is compared itself"),
    Expected("connection", "kept or closed as the server's mood is; no client sees it"),
    Expected("keep-alive", "kept or closed as the server's mood is; no client sees it"),
    Expected("transfer-encoding", "a matter of the server's buffers; the body is compared itself"),
    Expected("etag", "made of file times or not at all"),
    Expected("last-modified", "the time of the change"),
    *(
        Expected(name, "a real Nacos' web framework adds it for browsers to all answers; no client of Nacos reads it")
        for name in (
            *("cache-control", "expires", "pragma"),
            *("x-content-type-options", "x-frame-options", "x-xss-protection", "vary"),
        )
    ),
)
#: Values within bodies and headers: pattern and what stands in its place on both sides.
VALUES: Sequence[Expected] = (
    Expected(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ids made anew"),
    Expected(r"\b\d{10}(\d{3})?\b", "seconds or milliseconds of the epoch"),
    Expected(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:?\d\d)?", "times of the day"),
    Expected(r"\b(\d{1,3}\.){3}\d{1,3}(:\d+)?\b", "addresses and ports are each engine's own"),
    Expected(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "tokens carry their time"),
    Expected(r"bi-[a-z]+(-[a-z]+)?-\d+\b", "which replica took the request is the balancer's choice"),
    Expected(r'"x-forwarded-port"[,:] ?"\d+"', "ports are each engine's own"),
    Expected(r'"duration(_ms)?": ?[\d.]+', "a measured time"),
    Expected(r'"accept-encoding", ?"[^"]*"', "what the client can unpack is what is installed beside it"),
)


class Difference(NamedTuple):
    """One difference that nothing explains: in which exchange, in what, and both sides."""

    exchange: str
    what: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.exchange}\n    {self.what}\n      - {self.left}\n      + {self.right}"


# --- the command


def run(engines: Sequence[str], scenarios: Sequence[str], say: Callable[[str], None]) -> list[Difference]:
    """Run the scenarios on each of two engines and compare what they recorded. Raises SpecError, HarnessError."""
    if len(engines) != 2:
        raise SpecError(f"{len(engines)} engines are named", where="--engines", mend="name two: embedded,docker")
    with tempfile.TemporaryDirectory(prefix="harness-compare-") as folder:
        files = [_recorded(engine, scenarios, Path(folder), say) for engine in engines]
        return _compared(engines, [read(file) for file in files], say)


def compare_files(files: Sequence[str], say: Callable[[str], None]) -> list[Difference]:
    """Compare two recordings that were made before. Raises SpecError."""
    if len(files) != 2:
        raise SpecError(f"{len(files)} files are named", where="--recorded", mend="name two, with a comma between")
    recordings = []
    for file in files:
        try:
            recordings.append(read(Path(file)))
        except (OSError, ValueError, TypeError) as error:
            raise SpecError(f"{file}: {error}", where="--recorded", mend="pytest scenarios --record FILE") from error
    return _compared(files, recordings, say)


def _compared(names: Sequence[str], sides: Sequence[list[Exchange]], say: Callable[[str], None]) -> list[Difference]:
    left, right = sides
    say(f"{len(left)} exchanges on {names[0]}, {len(right)} on {names[1]}")
    return compare(left, right)


def _recorded(engine: str, scenarios: Sequence[str], folder: Path, say: Callable[[str], None]) -> Path:
    file = folder / f"{engine}.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--engine", engine, "--record", str(file)]
    done = subprocess.run([*command, *scenarios], capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith("harness:") or re.search(r"\d passed", line)]
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    say("\n    ".join([f"{engine}: {'; '.join(told)}", *failed]))
    if not file.exists():
        raise HarnessError(f"the scenarios recorded nothing:\n{done.stdout[-2000:]}{done.stderr[-1000:]}", where=engine)
    return file


# --- comparing


def compare(left: Sequence[Exchange], right: Sequence[Exchange]) -> list[Difference]:
    """Every difference that HEADERS and VALUES don't explain, in the order of the left recording."""
    found, other = {e.name: e for e in left}, {e.name: e for e in right}
    tests = {_test_of(e) for e in left} & {_test_of(e) for e in right}  # the others are not applicable on one of them
    differences = [
        Difference(name, "asked on one engine only", str(name in found), str(name in other))
        for name, exchange in {**found, **other}.items()
        if (name not in found or name not in other) and _test_of(exchange) in tests
    ]
    for name in found.keys() & other.keys():
        differences += _differences(found[name], other[name])
    return sorted(differences)


def _test_of(exchange: Exchange) -> str:
    return exchange.name.partition(" #")[0].partition(": ")[0]


def _differences(left: Exchange, right: Exchange) -> Iterator[Difference]:
    if left.status != right.status:
        yield Difference(left.name, "status", str(left.status), str(right.status))
    unlike = {expected.about for expected in HEADERS}
    for header in sorted((left.headers.keys() | right.headers.keys()) - unlike):
        one, two = (_plain(side.headers.get(header, "(none)")) for side in (left, right))
        if one != two:
            yield Difference(left.name, f"header {header}", one, two)
    one, two = _body(left.body), _body(right.body)
    if one != two:
        yield Difference(left.name, "body", one, two)


def _body(text: str) -> str:
    """Comparable: JSON with its members in order, and what differs from run to run taken out."""
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text), sort_keys=True)
    return _plain(text)


def _plain(text: str) -> str:
    for expected in VALUES:
        text = re.sub(expected.about, "…", text)
    return text


# --- recordings


def exchanges_of(test: str, responses: Iterable[httpx.Response]) -> list[Exchange]:
    """What a test asked of the gateway and was answered; answers alike one after the other (polling) count once.

    A server's error that asking again made up for is left out: how long one lasts is a matter of luck.
    """
    found: list[Exchange] = []
    for response in list(responses):
        if not hasattr(response, "_content"):
            continue  # streamed: the test read it piece by piece
        method, path = response.request.method, response.request.url.raw_path.decode()
        headers = {name.lower(): value for name, value in response.headers.items()}
        if found and found[-1].status >= 500 and (found[-1].method, found[-1].path) == (method, path):
            found.pop()
        name = f"{test} #{len(found)}: {method} {path}"
        exchange = Exchange(name, method, path, response.status_code, headers, response.text)
        if not found or _known(found[-1]) != _known(exchange):
            found.append(exchange)
    return found


def _known(exchange: Exchange) -> tuple[str, str, int]:
    return exchange.method, exchange.path, exchange.status


def write(file: Path, exchanges: Sequence[Exchange]) -> None:
    """One recording as JSON: a list of exchanges."""
    file.write_text(json.dumps([asdict(exchange) for exchange in exchanges], indent=1))


def read(file: Path) -> list[Exchange]:
    """A recording. Raises ValueError for another content."""
    return [Exchange(**entry) for entry in json.loads(file.read_text())]


#: What is asked of Nacos' HTTP API: method, path below /nacos, form.
NACOS_CALLS: Sequence[tuple[str, str, Mapping[str, str]]] = (
    ("POST", "/v1/cs/configs", {"dataId": "compare", "group": "G", "content": "a: 1", "type": "yaml"}),
    ("GET", "/v1/cs/configs?dataId=compare&group=G", {}),
    ("GET", "/v1/cs/configs?dataId=nobody&group=G", {}),
    ("GET", "/v1/cs/configs?group=G", {}),
    ("POST", "/v1/cs/configs", {"dataId": "compare", "group": "G", "content": ""}),
    ("DELETE", "/v1/cs/configs?dataId=compare&group=G", {}),
    ("POST", "/v1/ns/instance", {"serviceName": "c", "ip": "10.9.9.9", "port": "80", "ephemeral": "false"}),
    ("POST", "/v1/ns/instance", {"serviceName": "c", "ip": "10.9.9.9", "port": "no"}),
    ("POST", "/v1/ns/instance", {"serviceName": "c"}),
    ("GET", "/v1/ns/instance/list?serviceName=c", {}),
    ("GET", "/v1/ns/instance/list?serviceName=nobody", {}),
    ("GET", "/v1/ns/instance?serviceName=c&ip=10.9.9.9&port=80", {}),
    ("DELETE", "/v1/ns/instance?serviceName=c&ip=10.9.9.9&port=80&ephemeral=false", {}),
    ("GET", "/v1/console/namespaces", {}),
    ("GET", "/v1/nowhere", {}),
    ("POST", "/v1/auth/login", {"username": "nacos", "password": "wrong"}),
    ("GET", "/v3/client/cs/config?dataId=nobody&groupName=G&namespaceId=public", {}),
    ("GET", "/v3/client/ns/instance/list?serviceName=nobody&groupName=G&namespaceId=public", {}),
    ("GET", "/v3/admin/core/namespace/list", {}),
    ("GET", "/v3/admin/cs/config/list?pageNo=1&pageSize=10&dataId=&groupName=&namespaceId=public", {}),
)


def record_nacos(stack: Stack) -> list[Exchange]:
    """What the stack's Nacos answers to NACOS_CALLS, logged in and, at the end, not."""
    at = stack.engine.nacos
    connection = Connection(at.http)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    credentials = _form({"username": at.username, "password": at.password})
    token = connection.checked("POST", "/nacos/v1/auth/login", credentials, form).json()["accessToken"]
    calls = [(f"nacos {n:02}", _with_token(call, token), form) for n, call in enumerate(NACOS_CALLS)]
    calls.append(("nacos, not logged in", NACOS_CALLS[1], form))
    calls.append(("nacos, the token as a header", NACOS_CALLS[1], {**form, "accessToken": token}))
    return [_asked(connection, name, call, headers) for name, call, headers in calls]


def _asked(connection: Connection, name: str, call: tuple[str, str, Mapping[str, str]], headers: Any) -> Exchange:
    method, path, form = call
    answer = connection.ask(method, f"/nacos{path}", _form(form) if form else None, headers)
    path = path.partition("accessToken=")[0].rstrip("?&")
    return Exchange(f"{name}: {method} {path}", method, path, answer.status, answer.headers, answer.text)


def _with_token(call: tuple[str, str, Mapping[str, str]], token: str) -> tuple[str, str, Mapping[str, str]]:
    method, path, form = call
    return method, f"{path}{'&' if '?' in path else '?'}accessToken={token}", form


def _form(fields: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode(fields)
