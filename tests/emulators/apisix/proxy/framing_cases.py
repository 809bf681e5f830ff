"""Requests that proxies disagree about, by what is odd about them: those of request smuggling and their neighbours."""

from __future__ import annotations


def request(
    *lines: bytes, first: bytes = b"POST /w HTTP/1.1", host: bytes = b"Host: h.test", body: bytes = b""
) -> bytes:
    """A request's bytes; `host` empty leaves that line out."""
    return b"\r\n".join([first, *([host] if host else []), *lines, b"", body])


def _get(line: bytes) -> bytes:
    return request(line, first=b"GET /w HTTP/1.1")


_CHUNKED = b"Transfer-Encoding: chunked"
_ONE_CHUNK = b"3\r\nabc\r\n0\r\n\r\n"

_LENGTHS = (
    *(b"4", b"+4", b"-4", b" 4", b"4 ", b"4\t", b"\t4", b"4,4", b"4, 4", b"0x4", b"4a", b"", b"04", b"4;", b"4.0"),
    *(b"\xb2", b"1e1", b"0", b"0" * 30 + b"4", b"9223372036854775808", b"9" * 40),
)
_CODINGS = (
    *(b"chunked", b"Chunked", b"CHUNKED", b"chunked ", b"\tchunked", b"chunked\t", b"chunked,", b",chunked", b""),
    *(b"chunked;a=b", b"gzip, chunked", b"gzip,chunked", b"chunked, identity", b"identity", b"x", b"\x0bchunked"),
    *(b"chunked\x0c", b'"chunked"', b"chunkedx", b"xchunked", b"chunked\0", b"cow", b"\r\n chunked"),
)
_BODIES = (
    *(_ONE_CHUNK, b"3\nabc\n0\n\n", b"3\rabc\r0\r\r", b"3;a\r\nabc\r\n0\r\n\r\n", b'3;a="b\r\nabc\r\n0\r\n\r\n'),
    *(b"3;a=b;c\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n", b"3\t\r\nabc\r\n0\r\n\r\n", b"3 ;a\r\nabc\r\n0\r\n\r\n"),
    *(b" 3\r\nabc\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"+3\r\nabc\r\n0\r\n\r\n", b"-3\r\nabc\r\n0\r\n\r\n"),
    *(
        b"3x\r\nabc\r\n0\r\n\r\n",
        b"03\r\nabc\r\n00\r\n\r\n",
        b"0" * 30 + b"3\r\nabc\r\n0\r\n\r\n",
        b"\r\n" + _ONE_CHUNK,
    ),
    *(b"3\r\nabcd\r\n0\r\n\r\n", b"3\r\nab\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"),
    *(b"3\r\nabc\r\n0\r\nX: y\n\n", b"3\r\nabc\r\n0\r\nX\r\n\r\n", b"3\r\nabc\r\n0\r\n X: y\r\n\r\n"),
    *(b"3\r\nabc\r\n0\r\nX: y\rz\r\n\r\n", b"3\r\nabc\r\n0\r\nX: \0\r\n\r\n", b"3\r\nabc\r\n0;x\r\n\r\n"),
    *(b"3\r\nabc\r\n0 \r\n\r\n", b"f" * 17 + b"\r\n", b"7" + b"f" * 15 + b"\r\n", b"3;\r\nabc\r\n0;\r\n\r\n"),
    *(
        b"3;\0\r\nabc\r\n0\r\n\r\n",
        b"3;a\rb\r\nabc\r\n0\r\n\r\n",
        b"3\r\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\r\n0\r\n\r\n",
    ),
    *(b"3\r\nabc\r\n0\r\n\r\r\n", b"3\r\nabc\r\n0\r\n\rX", b"3 x\r\nabc\r\n0\r\n\r\n", b"3,\r\nabc\r\n0\r\n\r\n"),
    *(b"0\r\nContent-Length: 5\r\nHost: x\r\n\r\n", b"3\r\nabc\r\n0\r\n:\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n"),
    *(
        b";\r\n\r\n",
        b"g\r\n",
        b"3\r\nabc\r\n0\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
        b"3;" + b"a" * 20000 + b"\r\nabc\r\n0\r\n\r\n",
    ),
)
_FIELDS = (
    *(
        b"X: a",
        b"X:a",
        b"X:  a  ",
        b"X:\ta\t",
        b"X: a\tb",
        b"X : a",
        b"X\t: a",
        b" X: a",
        b"\tX: a",
        b": a",
        b":",
        b"X",
    ),
    *(b"X:", b"X: a\rb", b"\rX: a", b"X\r: a", b"X: a\r", b"X: a\0", b"X\0: a", b"X: \x01", b"X\x01: a", b"X\x7f: a"),
    *(b"X: \x7f", b"X: \xff", b"X\xff: a", b"X(: a", b"X/: a", b"X@: a", b"X.y: a", b"X_y: a", b"_: a", b"-: a"),
    *(b'"X": a', b"X y: a", b"X y", b"X:: a", b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\nY: b", b"Host: other", b"Host:"),
    *(b"host: h.test", b"Connection: close", b"Connection: close, keep-alive", b"Connection: keep-alive, close"),
    *(b"Connection: closex", b"Connection: Host", b"Connection: x-a\r\nX-A: b", b"Proxy-Connection: close"),
    *(b"Connection: close\r\nConnection: keep-alive", b"Keep-Alive: 5", b"TE: trailers", b"TE: gzip", b"Upgrade: x"),
    *(b"Expect: 100-continue", b"Expect: x", b"Transfer_Encoding: chunked", b"Content-Length : 4", b"Trailer: X"),
    *(b"Transfer-Encoding : chunked", b"Transfer-Encoding\xff: chunked", b"Content-Length\0: 4"),
    *(name + b": a\r\n" + name + b": a" for name in (b"Authorization", b"Cookie", b"Referer", b"Expect", b"If-Match")),
    *(name + b": a\r\n" + name + b": b" for name in (b"User-Agent", b"Content-Type", b"Range", b"If-Range", b"Via")),
    *(b"X: " + b"a" * size for size in (8100, 8186, 8187, 8188, 9000)),
    *(b"\r\n".join([b"X: " + b"a" * size] * most) for size, most in ((7000, 4), (7000, 5), (4000, 8), (500, 66))),
)
_HOSTS = (
    *(b"h.test", b"", b" ", b"a b", b"a/b", b"a..b", b".", b"a.", b"a:80", b"a:", b"a:b", b"a:80:90", b":80", b"[::1]"),
    *(b"[::1]:80", b"[::1", b"[x]", b"a@b", b"a?b", b"a#b", b"a\\b", b"a\x01", b"a\x7f", b"a\xff", b"A.TEST", b"a,b"),
    *(b"a_b", b"-", b"a%00", b"a\tb", b"[]", b"[::1]x", b"a;b", b"a" * 300, b"a:999999", b"a'b", b'a"b', b"{}", b"*"),
)
_LINES = (
    *(b"GET /w", b"GET /w ", b"GET  /w", b"POST /w", b"GET", b"GET ", b"get /w HTTP/1.1", b"GET /w HTTP/1.1 "),
    *(b"GET  /w  HTTP/1.1", b" GET /w HTTP/1.1", b"GET\t/w HTTP/1.1", b"GET /w\tHTTP/1.1", b"GET /w HTTP/1.0"),
    *(b"GET /w HTTP/1.2", b"GET /w HTTP/1.10", b"GET /w HTTP/1.999", b"GET /w HTTP/1.1000", b"GET /w HTTP/01.1"),
    *(b"GET /w HTTP/1.", b"GET /w HTTP/1", b"GET /w HTTP", b"GET /w HTTP/0.9", b"GET /w HTTP/2.0", b"GET /w HTTP/2.x"),
    *(b"GET /w HTTP/10.0", b"GET /w HTTP/100.0", b"GET /w http/1.1", b"GET /w HTTP/1.1x", b"GET /w HTTP/1.1 x"),
    *(b"GET /w HTTP/1.1\r", b"GET /w HTTPS/1.1", b"GET /w x HTTP/1.1", b"GET w HTTP/1.1", b"GET w HTTP/2.0"),
    *(
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"CONNECT h.test:443 HTTP/1.1",
        b"CONNECT /x HTTP/1.1",
    ),
    *(b"TRACE / HTTP/1.1", b"HEAD /w HTTP/1.1", b"HEAD w HTTP/1.1", b"PURGE /w HTTP/1.1", b"G(T /w HTTP/1.1"),
    *(b"G-T_ /w HTTP/1.1", b"G1T /w HTTP/1.1", b"GET http://abs.test/x HTTP/1.1", b"GET http://abs.test HTTP/1.1"),
    *(b"GET http://abs.test?x HTTP/1.1", b"GET http://abs.test:81/x HTTP/1.1", b"GET HTTP://ABS.test/x HTTP/1.1"),
    *(
        b"GET http:///x HTTP/1.1",
        b"GET http:/x HTTP/1.1",
        b"GET http://u@abs.test/x HTTP/1.1",
        b"GET http://[::L]/x HTTP/1.1",
    ),
    *(b"GET http://[::1]:80/x HTTP/1.1", b"GET http://abs.test:x/x HTTP/1.1", b"GET http://a_b/x HTTP/1.1"),
    *(b"GET http://abs.test#x HTTP/1.1", b"GET 1http://abs.test/x HTTP/1.1", b"GET http://abs..test/x HTTP/1.1"),
    *(
        b"GET http:///x HTTP/2.0",
        b"GET http://abs.test",
        b"GET http://abs.test ",
        b"GET http://abs.test/x",
        b"GET http:///x",
    ),
    *(b"GET //x//y HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET /%00", b"GET /%0 HTTP/1.1", b"GET /%zz HTTP/1.1"),
    *(b"GET /%0d%0a HTTP/1.1", b"GET /%2f HTTP/1.1", b"GET /%2e%2e HTTP/1.1", b"GET /a/../.. HTTP/1.1", b"GET /.."),
    *(
        b"GET /..x HTTP/1.1",
        b"GET /?%00 HTTP/1.1",
        b"GET /?\x01 HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
    ),
    *(b"GET /\xff HTTP/1.1", b"GET /?\xff HTTP/1.1", b"GET /\0 HTTP/1.1", b"GET /#x HTTP/1.1", b"GET /x#y?z HTTP/1.1"),
    *(
        b"GET /#\0 HTTP/1.1",
        b"GET /#/../.. HTTP/1.1",
        b"GET /?/../.. HTTP/1.1",
        b"GET ?x HTTP/1.1",
        b"GET /a\rb HTTP/1.1",
    ),
    *(b"GET /\\x HTTP/1.1", b'GET /<>"{}|^` HTTP/1.1', b"GET /%u0041 HTTP/1.1", b"GET /%c0%af HTTP/1.1"),
    *(b"GET /" + b"a" * size + b" HTTP/1.1" for size in (8170, 8175, 8176, 8177, 8190, 20000)),
)
_WHOLE = (
    *(
        b"GET /w HTTP/1.1\nHost: h.test\nX: y\n\n",
        b"GET /w HTTP/1.1\r\nHost: h.test\nX: y\r\n\n",
        b"\r\n" * 2000 + _get(b"X: y"),
    ),
    *(b"GET /w HTTP/1.1\rHost: h.test\r\r", b"\r\r" + _get(b"X: y"), b" \r\n" + _get(b"X: y"), b"SSH-2.0-x\r\n"),
    *(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
    *(b"GET /w HTTP/1.1\r\r\nHost: h.test\r\n\r\n", b"GET /w HTTP/1.1\r\nHost: h.test\r\n\r\r\n"),
    *(b"GET /w HTTP/1.1\r\nHost: h.test\r\n\rX", b"GET /w HTTP/1.1\r\nHost: h.test\r\r\nX: y\r\n\r\n"),
    request(first=b"GET /w HTTP/1.1", host=b""),
    request(first=b"GET /w HTTP/1.0", host=b""),
    request(b"Connection: keep-alive", first=b"GET /w HTTP/1.0"),
    request(b"Host: x", first=b"HEAD /w HTTP/1.1"),
    request(first=b"HEAD /w HTTP/1.1") + request(b"Host: x", first=b"GET /w HTTP/1.1"),
    *(
        request(b"Content-Length: 4", first=method + b" /w HTTP/1.1", body=b"abcd")
        for method in (b"GET", b"HEAD", b"X")
    ),
    *(request(_CHUNKED, first=method + b" /w HTTP/1.1", body=_ONE_CHUNK) for method in (b"GET", b"HEAD", b"X")),
    request(b"Content-Length: 4", body=b"abcd\r\n"),
    request(b"Expect: 100-continue", b"Content-Length: 0"),
    request(b"Expect: 100-continue", b"Content-Length: 4", body=b"abcd"),
    request(b"Expect: 100-Continue", _CHUNKED, body=_ONE_CHUNK),
    request(b"Expect: 100-continue", b"Content-Length: 4", first=b"POST /w HTTP/1.0", body=b"abcd"),
    request(_CHUNKED, first=b"POST /w HTTP/1.0", body=_ONE_CHUNK),
)
_CONFLICTS = (
    (b"Content-Length: 4", b"Content-Length: 4"),
    (b"Content-Length: 4", b"Content-Length: 5"),
    (b"Content-Length: 4", _CHUNKED),
    (_CHUNKED, b"Content-Length: 4"),
    (b"Content-Length: 4", b"Transfer-Encoding: gzip"),
    (_CHUNKED, _CHUNKED),
    (b"Transfer-Encoding: identity", _CHUNKED),
    (b"Content-Length: 4", b"content-length: 4"),
    (b"Content-Length: 4", b"Transfer-Encoding : chunked"),
    (b"Content-Length: 4", b"Transfer_Encoding: chunked"),
)

CASES: dict[str, list[bytes]] = {
    "Content-Length": [request(b"Content-Length: " + value, body=b"abcd") for value in _LENGTHS],
    "Transfer-Encoding": [request(b"Transfer-Encoding: " + value, body=_ONE_CHUNK) for value in _CODINGS],
    "two of them": [request(*lines, body=b"0\r\n\r\n") for lines in _CONFLICTS],
    "chunks": [request(_CHUNKED, body=body) for body in _BODIES],
    "fields": [_get(line) for line in _FIELDS],
    "hosts": [request(first=b"GET /w HTTP/1.1", host=b"Host: " + value) for value in _HOSTS],
    "request lines": [request(first=line) for line in _LINES],
    "whole requests": list(_WHOLE),
}
