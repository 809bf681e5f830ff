"""The Content-Type nginx gives to what Lua writes: by the path's extension (mime.types), else text/plain."""

from __future__ import annotations

from typing import Final

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.proxy.answer import with_charset

_DEFAULT: Final = "text/plain; charset=utf-8"
_TYPES: Final = {
    "html": "text/html",
    "htm": "text/html",
    "shtml": "text/html",
    "css": "text/css",
    "xml": "text/xml",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "application/javascript",
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "mml": "text/mathml",
    "txt": "text/plain",
    "jad": "text/vnd.sun.j2me.app-descriptor",
    "wml": "text/vnd.wap.wml",
    "htc": "text/x-component",
    "avif": "image/avif",
    "png": "image/png",
    "svg": "image/svg+xml",
    "svgz": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "wbmp": "image/vnd.wap.wbmp",
    "webp": "image/webp",
    "ico": "image/x-icon",
    "jng": "image/x-jng",
    "bmp": "image/x-ms-bmp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "jar": "application/java-archive",
    "json": "application/json",
    "hqx": "application/mac-binhex40",
    "doc": "application/msword",
    "pdf": "application/pdf",
    "ps": "application/postscript",
    "rtf": "application/rtf",
    "m3u8": "application/vnd.apple.mpegurl",
    "xls": "application/vnd.ms-excel",
    "wasm": "application/wasm",
    "7z": "application/x-7z-compressed",
    "xhtml": "application/xhtml+xml",
    "zip": "application/zip",
    "bin": "application/octet-stream",
    "exe": "application/octet-stream",
    "dll": "application/octet-stream",
    "iso": "application/octet-stream",
    "img": "application/octet-stream",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "webm": "video/webm",
}


def of(path: str) -> str:
    """The Content-Type for a path, with nginx's charset where it adds one."""
    name = path.rpartition("/")[2]
    if "." not in name:
        return _DEFAULT
    kind = _TYPES.get(name.rpartition(".")[2].lower())
    return with_charset(kind) if kind else _DEFAULT


def add_charset(response: Headers) -> None:
    """What nginx's charset filter does to a Content-Type that Lua has set."""
    for index, (lower, name, value) in enumerate(response.items):
        if lower == "content-type":
            completed = with_charset(value)
            if completed is not value:
                response.items[index] = (lower, name, completed)
            return
