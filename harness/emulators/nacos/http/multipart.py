"""Reading one file out of a multipart form."""

from __future__ import annotations

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.message import Request


def uploaded(request: Request, name: str) -> bytes | None:
    """The content of the form's file, None if there is none; raises NacosError (400) for a broken form."""
    kind = request.header("content-type")
    if not kind.startswith("multipart/form-data"):
        return None
    boundary = _boundary(kind)
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary)[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        if separator and f'name="{name}"'.encode() in head:
            return content
    return None


def _boundary(kind: str) -> bytes:
    _, _, value = kind.partition("boundary=")
    boundary = value.split(";")[0].strip().strip('"')
    if not boundary:
        raise NacosError(400, "the request was rejected because no multipart boundary was found", 20002)
    return boundary.encode()
