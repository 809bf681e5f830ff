"""Reads the `security` section: secrets, consumers, WAF."""

from __future__ import annotations

import ipaddress
import re
from functools import partial

from harness.model.reader import Reader
from harness.model.security import ApiKey, Consumer, Jwt, RateLimit, Security, Waf
from harness.model.sources import Sources
from harness.model.tree import Scalar

ALGORITHMS = (*(f"{family}{bits}" for family in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)), "EdDSA")
#: The Admin API's own rule for a consumer's username.
CONSUMER_NAME = r"[a-zA-Z0-9_-]+"
COUNTED_BY = ("consumer", "ip", "service")
#: A year: the longest window.
LONGEST = 31_536_000
#: How Python words what PCRE refuses as well.
BROKEN = ("unterminated", "unbalanced", "nothing to repeat")


def read_security(reader: Reader, sources: Sources) -> Security:
    """The whole section; `${secret:…}` works everywhere once this has begun."""
    named = reader.below("secrets")
    for name in named.names():
        sources.secrets[name] = read_secret(named, name, sources)
    consumers = reader.each("consumers", partial(_consumer, sources=sources))
    _check_unique(reader, consumers)
    waf = _waf(reader.below("waf")) if reader.has("waf") else None
    reader.done()
    return Security(consumers, waf, dict(sources.secrets), tuple(sources.secret_values))


def read_secret(reader: Reader, key: str, sources: Sources) -> str:
    """Text (with `${…}`), or {env: NAME, default: text}, {file: path}, {generate: length}; never shown in clear."""
    if not reader.has(key):
        return ""
    if isinstance(reader.table.entries[key], Scalar):
        value = reader.text(key, fill=True)
    else:
        value = _secret_from(reader.below(key), sources)
    if value:
        sources.secret_values.append(value)
    return value


def _secret_from(reader: Reader, sources: Sources) -> str:
    given = [way for way in ("env", "file", "generate") if reader.has(way)]
    if len(given) != 1:
        reader.problem(None, "a secret is text, or one of env, file and generate", "write {env: NAME}")
    variable, default = reader.text("env"), reader.text("default")
    file, length = reader.text("file"), reader.integer("generate", 0, 8, 1024)
    reader.done()
    try:
        if variable:
            return sources.variable(variable, default or None)
        return sources.file(file) if file else sources.generated(length)
    except LookupError as error:
        what, mend = error.args
        reader.problem(given[0] if given else None, what, mend)
        return ""


def read_rate_limit(reader: Reader, key: str = "rate_limit") -> RateLimit | None:
    """The rate limit under a key, None when it isn't given."""
    if not reader.has(key):
        return None
    limit = reader.below(key)
    limit.require("count", "the number of requests in a window")
    limit.require("window", "the window's length in seconds")
    found = RateLimit(
        count=limit.integer("count", 1, 1, 1_000_000_000),
        window=limit.integer("window", 1, 1, LONGEST),
        by=limit.text(
            "by", "consumer", pattern=r"[a-z_][a-z0-9_]*", means="consumer, ip, service or a variable's name"
        ),
        status=limit.integer("status", 429, 200, 599),
        message=limit.text("message"),
    )
    limit.done()
    return found


def _consumer(name: str, reader: Reader, *, sources: Sources) -> Consumer:
    if not re.fullmatch(CONSUMER_NAME, name):
        reader.problem(None, f"the consumer's name {name!r} has characters besides letters, digits, '_' and '-'")
    consumer = Consumer(
        name=name,
        description=reader.text("description"),
        jwt=_jwt(reader.below("jwt"), name, sources) if reader.has("jwt") else None,
        api_key=_api_key(reader.below("api_key"), sources) if reader.has("api_key") else None,
        rate_limit=read_rate_limit(reader),
        labels=reader.variables("labels"),
        plugins=reader.objects("plugins"),
    )
    reader.done()
    return consumer


def _jwt(reader: Reader, consumer: str, sources: Sources) -> Jwt:
    jwt = Jwt(
        key=reader.text("key", consumer, fill=True),
        algorithm=reader.choice("algorithm", "HS256", ALGORITHMS),
        secret=read_secret(reader, "secret", sources),
        public_key=_public_key(reader, sources),
        private_key=read_secret(reader, "private_key", sources),
    )
    reader.done()
    wanted, unwanted = ("secret", "public_key") if jwt.symmetric else ("public_key", "secret")
    if not reader.has(wanted):
        reader.problem(None, f"{jwt.algorithm} needs {wanted}", f"give {wanted}, or choose another algorithm")
    if reader.has(unwanted):
        reader.problem(unwanted, f"{jwt.algorithm} has no {unwanted}")
    return jwt


def _public_key(reader: Reader, sources: Sources) -> str:
    """A public key is given like a secret, and may be shown."""
    known = len(sources.secret_values)
    key = read_secret(reader, "public_key", sources)
    del sources.secret_values[known:]
    return key


def _api_key(reader: Reader, sources: Sources) -> ApiKey:
    reader.require("key", "the API key")
    key = ApiKey(read_secret(reader, "key", sources))
    reader.done()
    return key


def _check_unique(reader: Reader, consumers: dict[str, Consumer]) -> None:
    """The gateway finds a consumer by its key: two with one key are refused there too."""
    section = reader.below("consumers")
    seen: dict[tuple[str, str], str] = {}
    for name, consumer in consumers.items():
        for kind, credential in (("jwt", consumer.jwt), ("api_key", consumer.api_key)):
            key = credential.key if credential else ""
            if key and (kind, key) in seen:
                section.problem(name, f"{kind}.key is the same as consumer {seen[kind, key]!r} has")
            seen.setdefault((kind, key), name)


def _waf(reader: Reader) -> Waf:
    waf = Waf(
        blocked_uris=_patterns(reader, "blocked_uris"),
        ignore_case=reader.flag("ignore_case", False),
        blocked_user_agents=_patterns(reader, "blocked_user_agents"),
        allowed_user_agents=_patterns(reader, "allowed_user_agents"),
        blocked_ips=_addresses(reader, "blocked_ips"),
        allowed_ips=_addresses(reader, "allowed_ips"),
        status=reader.integer("status", 403, 200, 599),
        message=reader.text("message"),
    )
    for what in ("user_agents", "ips"):
        if reader.has(f"blocked_{what}") and reader.has(f"allowed_{what}"):
            reader.problem(f"allowed_{what}", f"stands beside blocked_{what}; the gateway takes one of the two")
    reader.done()
    return waf


def _patterns(reader: Reader, key: str) -> tuple[str, ...]:
    """Regular expressions; the gateway's PCRE knows more than Python's, so only what both refuse is a mistake."""
    found = reader.texts(key)
    for pattern in found:
        try:
            re.compile(pattern)
        except re.error as error:
            if any(words in error.msg for words in BROKEN):
                reader.problem(key, f"{pattern!r} is no regular expression: {error.msg}")
    return found


def _addresses(reader: Reader, key: str) -> tuple[str, ...]:
    found = reader.texts(key)
    for address in found:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            reader.problem(key, f"{address!r} is neither an IP address nor a range such as 10.0.0.0/8")
    return found
