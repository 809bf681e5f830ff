"""What every secret manager is given, and how it says that there is nothing."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from harness.emulators.apisix.exchange import Response

#: a request of the gateway's own (proxy/fetch.py, bound to its connections)
Fetch = Callable[..., Awaitable[Response]]
#: (the manager's resource, the key within it, fetch) → the value, None for a key that it doesn't have
Manager = Callable[[Mapping[str, Any], str, Fetch], Awaitable[Any]]


class SecretError(Exception):
    """Why there is no value; the text is the error log's."""


def from_environment(reference: str) -> Any:
    """$env://NAME, or a member of the JSON object in it: $env://NAME/member; what isn't set stays as it is."""
    import json

    name, _, member = reference[len("$env://") :].partition("/")
    value = os.environ.get(name)
    if value is None:
        return reference
    if not member:
        return value
    try:
        found = json.loads(value).get(member)
    except (ValueError, AttributeError):
        return reference
    return found if found is not None else reference


def own_secret(text: str) -> str:
    """A manager's own credential, which may stand in the environment."""
    return str(from_environment(text)) if text[:7].lower() == "$env://" else text
