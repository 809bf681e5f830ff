"""The machine's real nginx as a plain proxy, to hold the gateway against: on free ports, ended with the test."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType

import pytest

from harness.ports import free_port
from harness.wait import until

#: What APISIX's nginx.conf says of reading requests and of asking upstreams (cli/ngx_tpl.lua), as far as 1.22 knows it.
CONF = """
daemon off;
worker_processes 1;
{user}
pid {here}/pid;
error_log {here}/error.log info;
events {{ worker_connections 512; }}
http {{
    access_log off;
    default_type text/plain;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    client_max_body_size 0;
    keepalive_timeout 60s;
    client_header_timeout 60s;
    client_body_timeout 60s;
    send_timeout 10s;
    lingering_timeout 1s;
    underscores_in_headers on;
    proxy_http_version 1.1;
    upstream node {{ server 127.0.0.1:{node}; {keepalive} }}
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{http2} http2;
        location / {{
            proxy_pass http://node;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_next_upstream off;
        }}
    }}
}}
"""


class RealNginx:
    """nginx in the foreground: `address` speaks HTTP/1, `address2` HTTP/2; both ask the node at `port`."""

    def __init__(self, here: Path, port: int, *, keeps: bool = True) -> None:
        """`keeps`: connections to the node are kept; else each request has its own."""
        self.here = here
        self.address = ("127.0.0.1", free_port())
        self.address2 = ("127.0.0.1", free_port())
        user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
        conf = CONF.format(
            here=here,
            node=port,
            http=self.address[1],
            http2=self.address2[1],
            user=user,
            keepalive="keepalive 8;" if keeps else "",
        )
        (here / "nginx.conf").write_text(conf)
        self.log = here / "error.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RealNginx:
        command = ["nginx", "-p", str(self.here), "-c", "nginx.conf", "-e", "error.log"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, 10, awaited="nginx to listen")
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(self.address2, timeout=1).close()
        except OSError:
            return False
        return True

    def tell(self, number: signal.Signals) -> None:
        """Send its master a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(10)


def needs_nginx() -> None:
    """Skip, with the reason, where there is no nginx to hold the gateway against."""
    if shutil.which("nginx") is None:
        pytest.skip("not applicable: no nginx is installed here")
