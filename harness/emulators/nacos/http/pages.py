"""The HTML that Tomcat itself answers with, before any of Nacos is asked: broken requests and their kind."""

from __future__ import annotations

from harness.emulators.nacos.http.message import Response

REASONS = {
    400: "Bad Request",
    413: "Content Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}
#: After these Tomcat closes the connection (`Http11Processor.statusDropsConnection`).
CLOSING = frozenset({400, 408, 411, 413, 414, 500, 501, 503, 505})

_STYLE = (
    "body {font-family:Tahoma,Arial,sans-serif;} h1, h2, h3, b {color:white;background-color:#525D76;} "
    "h1 {font-size:22px;} h2 {font-size:16px;} h3 {font-size:14px;} p {font-size:12px;} a {color:black;} "
    ".line {height:1px;background-color:#525D76;border:none;}"
)


def page(status: int) -> Response:
    """The page of a status, without a report, as Spring Boot configures it."""
    title = f"HTTP Status {status} \u2013 {REASONS[status]}"
    html = (
        f'<!doctype html><html lang="en"><head><title>{title}</title><style type="text/css">{_STYLE}</style></head>'
        f"<body><h1>{title}</h1></body></html>"
    )
    return Response(status, html.encode(), "text/html;charset=utf-8", (("Content-Language", "en"),))
