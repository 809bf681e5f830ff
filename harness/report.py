"""A failure explains itself: what was asked, what came back, what the gateway decided and why, the last logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    import httpx

    from harness.stack import Stack

#: How many of a test's exchanges are shown, and how much of a body.
EXCHANGES = 3
BODY = 2000
LOG_LINES = 15
#: Header fields whose values are credentials.
SECRET = frozenset({"authorization", "apikey", "cookie", "set-cookie", "x-api-key", "proxy-authorization"})


def sections(stack: Stack) -> list[tuple[str, str]]:
    """(title, text) pairs for the report of a failed test; what can't be had says why."""
    exchanges = list(stack.exchanges)[-EXCHANGES:]
    found = [("asked and answered", "\n\n".join(map(exchange_text, exchanges)) or "nothing went through the gateway")]
    if not stack.lacks(["journal"]):
        found.append(("what the gateway decided", _decisions(stack, len(exchanges) or EXCHANGES)))
    found.extend((f"last log lines of {name}", text) for name, text in _logs(stack))
    return found


def exchange_text(response: httpx.Response) -> str:
    """One request and its answer as text, credentials masked."""
    request = response.request
    asked = [f"{request.method} {request.url.raw_path.decode()}", *_fields(request.headers.multi_items())]
    answered = [f"HTTP {response.status_code}", *_fields(response.headers.multi_items())]
    return "\n".join([*(f"> {line}" for line in asked), *(f"< {line}" for line in answered), _body(response)])


def _fields(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name}: {'***' if name.lower() in SECRET else value}" for name, value in pairs]


def _body(response: httpx.Response) -> str:
    if not response.is_stream_consumed:
        return "(a stream, not read to its end)"
    text = response.text
    return text if len(text) <= BODY else f"{text[:BODY]}… ({len(text)} characters)"


def _decisions(stack: Stack, count: int) -> str:
    try:
        entries = stack.emulated.journal(last=count)
    except (HarnessError, OSError) as error:
        return f"the gateway's journal can't be had: {error}"
    return "\n".join(map(decision_text, entries)) or "the gateway saw no request"


def decision_text(entry: dict[str, Any], indent: str = "") -> str:
    """One entry of the gateway's journal as a tree."""
    return _tree(entry, indent)


def _tree(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        told = {str(key): inner for key, inner in value.items() if inner not in (None, "", [], {})}
        return "\n".join(_branch(key, inner, indent) for key, inner in told.items())
    if isinstance(value, list):
        return "\n".join(_branch("-", inner, indent) for inner in value)
    return f"{indent}{value}"


def _branch(name: str, value: Any, indent: str) -> str:
    if isinstance(value, dict | list) and not _is_short(value):
        return f"{indent}{name}\n{_tree(value, indent + '  ')}"
    return f"{indent}{name} {value if isinstance(value, str) else json.dumps(value)}"


def _is_short(value: Any) -> bool:
    return len(json.dumps(value)) < 80


def _logs(stack: Stack) -> Sequence[tuple[str, str]]:
    names = ["gateway", *sorted(stack.involved())]
    pairs = [(name, stack.engine.logs(name, LOG_LINES)) for name in names]
    return [(name, text) for name, text in pairs if text]
