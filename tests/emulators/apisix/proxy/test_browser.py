"""A real browser (Chromium, headless) through the gateway: CORS, server-sent events, WebSocket; plain and by TLS.

The page does it all by itself and posts what it found; it frames the same page over TLS, which does the same.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from websockets.sync.server import serve

from .conftest import Upstream  # type: ignore[import-not-found]
from .test_tls import Pair, _ssl  # type: ignore[import-not-found]

#: How long a browser may take on a busy machine, in seconds
PATIENCE = 60
PAGE = """<!doctype html><meta charset="utf-8"><title>p</title><script>
const secure = location.protocol == "https:", scheme = location.protocol + "//", found = {secure};
async function text(url, options) {
  try { return await (await fetch(url, options)).text() } catch (e) { return e.name }
}
async function events() {
  const source = new EventSource("/browser/sse"), got = [];
  return new Promise(done => {
    source.onmessage = e => { got.push(e.data); if (got.length == 3) { source.close(); done(got) } };
    source.onerror = () => { source.close(); done(["error"]) };
  });
}
async function socket() {
  const ws = new WebSocket((secure ? "wss://" : "ws://") + location.host + "/browser/ws"), got = [];
  return new Promise(done => {
    ws.onopen = () => ws.send("text");
    ws.onmessage = e => { got.push(e.data); got.length == 1 ? ws.send("more") : ws.close(1000, "bye") };
    ws.onclose = e => done([...got, e.code, e.wasClean]);
    ws.onerror = () => done(["error"]);
  });
}
async function main() {
  found.same = await text("/browser/data");
  const custom = {method: "PUT", headers: {"X-Custom": "1"}, body: "b"};
  found.allowed = await text(scheme + "api.test/browser/cors", custom);
  found.other = await text(scheme + "api.test/browser/other-origin", custom);
  found.none = await text(scheme + "api.test/browser/data");
  found.events = await events();
  found.socket = await socket();
  found.protocols = performance.getEntriesByType("resource").filter(e => e.name.endsWith("/browser/data"))
    .map(e => e.nextHopProtocol).filter(p => p);
  found.page = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  await fetch("/browser/result", {method: "POST", body: JSON.stringify(found)});
  if (!secure) {
    const frame = document.createElement("iframe");
    frame.src = "https://page.test/browser/page";
    document.body.append(frame);
  }
}
onload = main;
</script><body></body>"""


def _sized(body: bytes, kind: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind.encode(), len(body), body)


class Site:
    """The upstream of the page; `results` is what pages have posted."""

    def __init__(self) -> None:
        self.results: queue.Queue[dict[str, Any]] = queue.Queue()
        self.upstream = Upstream(self._answer)

    def _answer(self, up: Any, to: socket.socket, request: bytes) -> bool:
        head, _, body = request.partition(b"\r\n\r\n")
        path = head.split(b" ")[1]
        if path == b"/browser/page":
            to.sendall(_sized(PAGE.encode(), "text/html"))
        elif path == b"/browser/sse":
            to.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(3):
                to.sendall(b"9\r\ndata: %d\n\n\r\n" % number)
            to.sendall(b"0\r\n\r\n")
        elif path == b"/browser/result":
            self.results.put(json.loads(body))
            to.sendall(_sized(b"thanks", "text/plain"))
        else:
            to.sendall(_sized(b"data", "text/plain"))
        return True


@contextlib.contextmanager
def _echo() -> Iterator[str]:
    """A WebSocket server that says what it hears."""

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send("echo " + message)

    with serve(echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


@contextlib.contextmanager
def _chromium(home: Path, gateway: Any, pair: Pair) -> Iterator[Any]:
    """A browser that opens the page, knows our two names and no others, and trusts this one key."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    key = pair.key.public_key().public_bytes(serialization.Encoding.DER, spki)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    http, https = (url.rpartition("/")[2] for url in (gateway.server.http_url, gateway.server.https_url))
    names = [f"MAP {name}:{port} {at}" for name in ("page.test", "api.test") for port, at in ((80, http), (443, https))]
    command = [
        *(
            "chromium",
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
        *(
            "--disable-extensions",
            "--disable-features=HttpsUpgrades,OptimizationHints,MediaRouter,LocalNetworkAccessChecks",
        ),
        f"--user-data-dir={home}",
        f"--ignore-certificate-errors-spki-list={pin}",
        f"--host-resolver-rules={', '.join([*names, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'])}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "http://page.test/browser/page",
    ]
    environment = {**os.environ, "HOME": str(home)}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def test_a_browser_finds_everything_as_it_should(gateway: Any, tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("not applicable: no chromium is installed here")
    site = Site()
    pair = Pair("page.test", san="page.test")
    allowed = {"allow_methods": "PUT", "allow_headers": "X-Custom"}
    origins = "http://page.test,https://page.test"
    with contextlib.ExitStack() as held:
        held.callback(site.upstream.close)
        node = site.upstream.node
        gateway.route("/browser/*", node, id_="browser")
        gateway.route("/browser/cors", node, id_="browsercors", plugins={"cors": {**allowed, "allow_origins": origins}})
        other = {**allowed, "allow_origins": "https://other.test"}
        gateway.route("/browser/other-origin", node, id_="browserother", plugins={"cors": other})
        gateway.route("/browser/ws", held.enter_context(_echo()), id_="browserws", enable_websocket=True)
        gateway.put("ssls/browser", {**_ssl(pair, "page.test"), "snis": ["page.test", "api.test"]})
        held.callback(gateway.admin.delete, "/ssls/browser")
        held.enter_context(_chromium(tmp_path, gateway, pair))
        try:
            found = [site.results.get(timeout=PATIENCE) for _ in range(2)]
        except queue.Empty:
            raise AssertionError("no result: " + (tmp_path / "log").read_text(errors="replace")[-2000:]) from None
    for secure, one in zip((False, True), found, strict=True):
        protocol = "h2" if secure else "http/1.1"
        assert one == {
            "secure": secure,
            "same": "data",
            "allowed": "data",
            "other": "TypeError",
            "none": "TypeError",
            "events": ["0", "1", "2"],
            "socket": ["echo text", "echo more", 1000, True],
            "protocols": [protocol, protocol][: len(one["protocols"])],
            "page": protocol,
        }
        assert one["protocols"]
