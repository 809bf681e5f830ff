"""Where values outside the platform file come from: environment variables, files, random secrets."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.model.problems import near

#: An address known only when the service runs; it stays in the text until the platform is compiled.
SERVICE = "service:"
SECRET = "secret:"


class Sources:
    """What `${…}` may stand for, and the secrets met so far."""

    def __init__(
        self, environment: str, directory: Path, environ: Mapping[str, str], random: Callable[[int], bytes]
    ) -> None:
        self.directory = directory
        self._environ = {**environ, "DEPLOY_ENV": environment}
        self._random = random
        self.secrets: dict[str, str] = {}
        self.secret_values: list[str] = []

    def lookup(self, name: str) -> str:
        """The text for `${name}`: VARIABLE, VARIABLE:-default, secret:NAME, service:NAME (kept as it is).

        Raises LookupError(what, mend).
        """
        if name.startswith(SERVICE):
            return f"${{{name}}}"
        if name.startswith(SECRET):
            return self.secret(name.removeprefix(SECRET))
        variable, has_default, default = name.partition(":-")
        return self.variable(variable, default if has_default else None)

    def secret(self, name: str) -> str:
        """A named secret. Raises LookupError(what, mend)."""
        if name not in self.secrets:
            mend = near(name, self.secrets) or f"declare it: security.secrets.{name}"
            raise LookupError(f"no secret {name!r} is declared", mend)
        return self.secrets[name]

    def variable(self, name: str, default: str | None = None) -> str:
        """An environment variable. Raises LookupError(what, mend)."""
        value = self._environ.get(name) or default
        if value is None:
            raise LookupError(f"the environment variable {name} is not set", f"export {name}=…, or give a default")
        return value

    def file(self, name: str) -> str:
        """A file's text, its last newline left out. Raises LookupError(what, mend)."""
        try:
            return (self.directory / name).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise LookupError(
                f"the file {name} can't be read: {reason}", f"it is looked for in {self.directory}"
            ) from error

    def generated(self, length: int) -> str:
        """A random secret of `length` characters, new at each load."""
        text = base64.urlsafe_b64encode(self._random(length)).decode()
        return text[:length]
