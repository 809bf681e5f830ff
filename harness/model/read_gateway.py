"""Reads a service's `gateway` section, and the defaults for all of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from harness.model.read_security import read_rate_limit
from harness.model.reader import Reader
from harness.model.routes import Auth, Gateway, PublicEndpoint, Timeouts
from harness.model.tree import Items, Scalar, Table

AUTH_METHODS = ("jwt", "api-key", "none")
PREFIX = r"(/[A-Za-z0-9._~-]+)+"
HOST = r"\*|(\*\.)?[0-9a-zA-Z_-]+(\.[0-9a-zA-Z_-]+)*"
ENDPOINT = r"(?:(?P<methods>[A-Z]+(?:,[A-Z]+)*) +)?(?P<path>/[^\s*]*\*?)"
URL = r"https?://[^/\s]+/?"
#: What a service alone can say: a default for all would make no sense.
OWN = ("route_prefix", "virtual_hosts", "nacos_service", "nacos_group", "nacos_namespace", "upstream_url")
#: What the model writes into an APISIX upstream itself.
MANAGED = {
    "nodes": "upstream_url",
    "service_name": "nacos_service",
    "discovery_type": "nacos_service",
    "discovery_args": "nacos_group and nacos_namespace",
    "timeout": "timeouts",
    "retries": "retries",
    "retry_timeout": "retry_timeout",
    "scheme": "the URL's scheme",
}


def check_defaults(reader: Reader) -> None:
    """Read the defaults for their own mistakes' sake."""
    for key in OWN:
        if reader.has(key):
            reader.problem(
                key, "belongs to a service, not to the defaults of all", f"move it to services.<name>.gateway.{key}"
            )
    read_gateway(reader, "default", "", "")


def read_gateway(reader: Reader, service: str, namespace: str, group: str) -> Gateway:
    """The section with the defaults laid under it; `namespace` and `group` are where the service registers."""
    urls = reader.texts("upstream_url", pattern=r".*\S.*", means="a URL", fill=True)
    for url in urls:
        _check_url(reader, url)
    gateway = Gateway(
        route_prefix=reader.text(
            "route_prefix", pattern=PREFIX, means="a path such as /bi-basic, without a / at the end"
        ),
        strip_prefix=reader.flag("strip_prefix", True),
        hosts=reader.texts("hosts", pattern=HOST, means="a host name such as api.example.com or *.example.com"),
        virtual_hosts=reader.texts("virtual_hosts", pattern=HOST, means="a host name such as chat.example.com"),
        nacos_service=reader.text("nacos_service", fill=True),
        nacos_group=reader.text("nacos_group", group, fill=True),
        nacos_namespace=reader.text("nacos_namespace", namespace, fill=True),
        upstream_urls=urls,
        auth=_auth(reader),
        consumers=reader.texts("consumers"),
        public=_public(reader),
        rate_limit=read_rate_limit(reader),
        waf=reader.flag("waf", True),
        websocket=reader.flag("websocket", False),
        timeouts=_timeouts(reader),
        retries=reader.integer("retries", 0, 0, 100) if reader.has("retries") else None,
        retry_timeout=reader.number("retry_timeout", 0, 0, 3600) if reader.has("retry_timeout") else None,
        upstream=_upstream(reader),
        plugins=reader.objects("plugins"),
    )
    reader.done()
    return gateway


def check_complete(reader: Reader, gateway: Gateway) -> None:
    """What one service's section must have: a way in and a way out."""
    if not gateway.route_prefix and not gateway.virtual_hosts:
        reader.problem(None, "no request can reach the service", "give route_prefix or virtual_hosts")
    if gateway.nacos_service and gateway.upstream_urls:
        reader.problem("upstream_url", "stands beside nacos_service; an upstream has one of the two", "remove one")
    if not gateway.nacos_service and not gateway.upstream_urls:
        reader.problem(None, "no upstream", "give nacos_service or upstream_url")
    if gateway.consumers and not gateway.auth.methods:
        reader.problem("consumers", "without auth nobody is known as a consumer", "give auth: jwt or api-key")
    for key in ("nacos_group", "nacos_namespace"):
        if gateway.upstream_urls and reader.has(key):
            reader.problem(key, "means nothing beside upstream_url", "remove it")
    if gateway.hosts and not gateway.route_prefix and reader.has("hosts"):
        reader.problem(
            "hosts", "restricts a route_prefix, but there is none", "give virtual_hosts for a host of its own"
        )


def _check_url(reader: Reader, url: str) -> None:
    bare = re.sub(r"\$\{service:[^{}]*\}", "host", url)
    if not re.fullmatch(URL, bare):
        what = "has a path, but an APISIX upstream has none" if re.match(r"https?://[^/]+/.", bare) else "is no URL"
        reader.problem("upstream_url", f"{url!r} {what}", "write http://host:port, or http://${service:NAME}")
        return
    try:
        parts = urlsplit(bare)
        wrong = not parts.hostname or parts.port == 0 or "@" in parts.netloc
    except ValueError:
        wrong = True
    if wrong:
        reader.problem("upstream_url", f"{url!r} is no URL of a host and a port", "write http://host:port")


def _auth(reader: Reader) -> Auth:
    """`jwt`, `[jwt, api-key]`, `none`, or a mapping: one method with its plugin's options."""
    node = reader.table.entries.get("auth")
    if isinstance(node, Table):
        return _auth_with_options(reader.below("auth"))
    if isinstance(node, Items):
        return Auth(reader.texts("auth", pattern="jwt|api-key", means="jwt or api-key"), {})
    method = reader.choice("auth", "none", AUTH_METHODS)
    return Auth((method,) if method != "none" else (), {})


def _auth_with_options(reader: Reader) -> Auth:
    reader.require("method", " or ".join(AUTH_METHODS[:2]))
    method = reader.choice("method", "jwt", AUTH_METHODS[:2])
    options: dict[str, object] = {key: reader.text(key) for key in ("header", "query", "cookie") if reader.has(key)}
    if reader.has("hide_credentials"):
        options["hide_credentials"] = reader.flag("hide_credentials", False)
    reader.done()
    if method == "api-key" and "cookie" in options:
        reader.problem("cookie", "an API key comes in a header or in the query, never in a cookie")
    return Auth((method,), options)


def _public(reader: Reader) -> tuple[PublicEndpoint, ...]:
    means = "an endpoint such as /healthz, /static/* or POST /v1/login"
    found = []
    for text in reader.texts("public", pattern=ENDPOINT, means=means):
        match = re.fullmatch(ENDPOINT, text)
        if match:
            methods = match["methods"].split(",") if match["methods"] else []
            found.append(PublicEndpoint(match["path"], tuple(methods)))
    return tuple(found)


def _timeouts(reader: Reader) -> Timeouts | None:
    """One number for all three, or each by its name; what isn't named is 60 s as in APISIX."""
    node = reader.table.entries.get("timeouts")
    if node is None:
        return None
    if isinstance(node, Scalar):
        seconds = reader.number("timeouts", 60, 0.001, 3600)
        return Timeouts(seconds, seconds, seconds)
    below = reader.below("timeouts")
    found = Timeouts(*(below.number(key, 60, 0.001, 3600) for key in ("connect", "send", "read")))
    below.done()
    return found


def _upstream(reader: Reader) -> dict[str, object]:
    options = reader.object("upstream")
    below = Reader(reader.table.entries.get("upstream"), reader.at("upstream"), reader.context)
    for key in options:
        if key in MANAGED:
            below.problem(key, f"is written by the harness from {MANAGED[key]}", f"use {MANAGED[key]} instead")
    return options
