"""The errors that leave the harness: every message says what went wrong, where, and the mend."""

from __future__ import annotations


class HarnessError(Exception):
    """Base of all errors a user of the harness may see.

    `what` is one sentence; `where` a file:line, an address or a component; `mend` what to do about it.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(self._text())

    def __reduce__(self) -> tuple[object, ...]:
        # by its attributes: it may come from another process, and its classes are made of different arguments
        return _again, (type(self), self.args, self.__dict__)

    def _text(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  mend: {self.mend}" if self.mend else text


def _again(kind: type[HarnessError], arguments: tuple[object, ...], attributes: dict[str, object]) -> HarnessError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class SpecError(HarnessError):
    """A declaration (platform file, option, environment variable) is wrong."""


class NotReady(HarnessError):
    """Something awaited did not come in time; carries the last state seen and recent logs.

    `awaited` names the condition, `seconds` how long it was waited for, `last` the last state seen,
    `logs` the last lines of the component's log.
    """

    def __init__(
        self,
        awaited: str,
        *,
        seconds: float,
        last: str = "",
        logs: str = "",
        mend: str = "",
    ) -> None:
        self.awaited = awaited
        self.seconds = seconds
        self.last = last
        self.logs = logs
        what = f"waited {seconds:g} s for {awaited}"
        if last:
            what += f"; last seen: {last}"
        if logs:
            what += "\n  last log lines:\n" + "\n".join(f"    {line}" for line in logs.splitlines())
        super().__init__(what, mend=mend)


class EngineUnavailable(HarnessError):
    """The chosen engine can't run here (no etcd binary, no container daemon, no address given)."""


class RemoteError(HarnessError):
    """A component answered with an error: `status` is its HTTP or gRPC status, `body` what it said."""

    def __init__(self, what: str, *, status: int | str, body: str, where: str = "", mend: str = "") -> None:
        self.status = status
        self.body = body
        super().__init__(f"{what}: {status} {body}".rstrip(), where=where, mend=mend)
