"""A failure explains itself: what was asked, what came back, what the gateway decided and why, the last logs."""

from __future__ import annotations

import re
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
#: Header fields and arguments whose values are credentials.
SECRET = frozenset(
    {"authorization", "apikey", "cookie", "set-cookie", "x-api-key", "proxy-authorization", "jwt", "api_key", "token"}
)
ARGUMENT = re.compile(r"(?<=[?&])([^=&#]*)=([^&#]*)")


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
    asked = [f"{request.method} {_target(request.url.raw_path.decode())}", *_fields(request.headers.multi_items())]
    answered = [f"HTTP {response.status_code}", *_fields(response.headers.multi_items())]
    return "\n".join([*(f"> {line}" for line in asked), *(f"< {line}" for line in answered), _body(response)])


def _target(target: str) -> str:
    return ARGUMENT.sub(lambda found: f"{found[1]}=***" if found[1].lower() in SECRET else found[0], target)


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


def decision_text(entry: dict[str, Any]) -> str:
    """One entry of the gateway's journal: the way of a request, in the order in which it was decided."""
    request, response = entry["request"], entry["response"]
    took = f" after {entry['seconds'] * 1000:.1f} ms" if entry.get("seconds") is not None else ""
    lines = [f"{request['method']} {request['uri']} (Host: {request['host']}) was answered {response['status']}{took}"]
    lines.append(f"  route     {entry['route'] or 'none matched'}")
    lines.extend(f"            {miss_text(miss)}" for miss in entry.get("near_misses") or ())
    if entry["consumer"]:
        lines.append(f"  consumer  {entry['consumer']}")
    lines.extend(_plugin_lines(entry))
    lines.extend(f"  upstream  {_try_text(attempt)}" for attempt in entry["upstream"]["tries"])
    if entry["upstream"]["tries"]:
        lines.append(f"  sent on   {request['method']} {entry['upstream']['uri']}")
    lines.append(f"  answered  {'by the service' if response['from_upstream'] else 'by the gateway itself'}")
    return "\n".join(lines)


def miss_text(miss: dict[str, Any]) -> str:
    """A route that nearly matched, and what kept it from it."""
    return f"not {miss['route']} ({miss['uri']}): {miss['check']}: {miss['why']}"


def _plugin_lines(entry: dict[str, Any]) -> list[str]:
    """The plugins' verdicts, neighbours that said the same on one line; those that weren't reached without a phase."""
    runs: list[tuple[str, str, list[str]]] = []
    for told in entry.get("plugins") or ():
        phase = "" if told["said"] == "not reached" else told["phase"]
        if runs and runs[-1][:2] == (phase, told["said"]):
            runs[-1][2].append(told["plugin"])
        else:
            runs.append((phase, told["said"], [told["plugin"]]))
    listed = {(told["phase"], told["plugin"]) for told in entry.get("plugins") or ()}
    others = [one for one in entry["decisions"] if (one["phase"], one["plugin"]) not in listed and one["plugin"]]
    runs += [(one["phase"], one["said"], [one["plugin"]]) for one in others]
    return [f"  {phase:<9} {', '.join(names)}: {said}" for phase, said, names in runs]


def _try_text(attempt: dict[str, Any]) -> str:
    parts = [
        f"{name} {attempt[member] * 1000:.1f} ms"
        for name, member in (("connected", "connect_time"), ("head", "header_time"))
        if attempt[member] is not None
    ]
    took = f" after {attempt['response_time'] * 1000:.1f} ms" if attempt["response_time"] is not None else ""
    steps = f" ({', '.join(parts)})" if parts and took else ""
    error = f": {attempt['error']}" if attempt["error"] else ""
    return f"{attempt['node']} {attempt['status'] or 'no answer'}{took}{steps}{error}"


def _logs(stack: Stack) -> Sequence[tuple[str, str]]:
    names = ["gateway", *sorted(stack.involved())]
    pairs = [(name, stack.engine.logs(name, LOG_LINES)) for name in names]
    return [(name, text) for name, text in pairs if text]
