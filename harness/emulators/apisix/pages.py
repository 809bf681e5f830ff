"""nginx's own HTML pages, as OpenResty under APISIX words them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

#: $server_signature of the pages, and the Server header of what nginx finds while it reads a request
SERVER: Final = "openresty"

_TAIL: Final = (
    "<hr><center>openresty</center>\r\n"
    '<p><em>Powered by <a href="https://apisix.apache.org/">APISIX</a>.</em></p></body>\r\n'
    "</html>\r\n"
)

#: What a page is titled (ngx_http_special_response.c); a status that isn't here has no page.
TITLES: Final = {
    301: "301 Moved Permanently",
    302: "302 Found",
    303: "303 See Other",
    307: "307 Temporary Redirect",
    308: "308 Permanent Redirect",
    400: "400 Bad Request",
    401: "401 Authorization Required",
    402: "402 Payment Required",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Not Allowed",
    406: "406 Not Acceptable",
    408: "408 Request Time-out",
    409: "409 Conflict",
    410: "410 Gone",
    411: "411 Length Required",
    412: "412 Precondition Failed",
    413: "413 Request Entity Too Large",
    414: "414 Request-URI Too Large",
    415: "415 Unsupported Media Type",
    416: "416 Requested Range Not Satisfiable",
    421: "421 Misdirected Request",
    429: "429 Too Many Requests",
    500: "500 Internal Server Error",
    501: "501 Not Implemented",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
    505: "505 HTTP Version Not Supported",
    507: "507 Insufficient Storage",
}

#: nginx's private codes, sent as 400 with a heading and a reason of their own
_REASONS: Final = {
    494: ("400 Request Header Or Cookie Too Large", "Request Header Or Cookie Too Large"),
    495: ("400 The SSL certificate error", "The SSL certificate error"),
    496: ("400 No required SSL certificate was sent", "No required SSL certificate was sent"),
    497: ("400 The plain HTTP request was sent to HTTPS port", "The plain HTTP request was sent to HTTPS port"),
}

#: The statuses after whose page nginx closes the connection
CLOSING: Final = frozenset({400, 413, 414, 421, 494, 495, 496, 497, 500, 501, 505})


@lru_cache
def page(status: int) -> bytes:
    """The page for a status or one of nginx's private codes; empty when nginx has none."""
    if status in _REASONS:
        title, reason = _REASONS[status]
        middle = f"<center><h1>400 Bad Request</h1></center>\r\n<center>{reason}</center>\r\n"
    elif status in TITLES:
        title = TITLES[status]
        middle = f"<center><h1>{title}</h1></center>\r\n"
    else:
        return b""
    return f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n{middle}{_TAIL}".encode("latin-1")


def sent_as(status: int) -> int:
    """The status that goes out for one of nginx's private codes."""
    return 400 if status in _REASONS else status


#: Reason phrases of nginx's status lines, where it has one
PHRASES: Final = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Not Allowed",
    406: "Not Acceptable",
    408: "Request Time-out",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Large",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    421: "Misdirected Request",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}


@lru_cache
def status_line(status: int) -> str:
    """The status line of an HTTP/1.1 answer, with its line end; nginx leaves an unknown status without a phrase."""
    return f"HTTP/1.1 {status} {PHRASES.get(status, '')}".rstrip() + "\r\n"
