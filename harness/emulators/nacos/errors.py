"""What the server refuses: one exception that carries the HTTP status, the Nacos error code and the detail."""

from __future__ import annotations

#: Nacos error codes and their class texts (v2 and v3 envelopes print both).
CODE_TEXTS: dict[int, str] = {
    10000: "parameter missing",
    10001: "access denied",
    10002: "data access error",
    20001: "'tenant' parameter error",
    20002: "parameter validate error",
    20003: "MediaType Error",
    20004: "resource not found",
    20005: "resource conflict",
    20008: "invalid dataId",
    20009: "parameter mismatch",
    21000: "service name error",
    21001: "weight error",
    21002: "instance metadata error",
    21003: "instance not found",
    21004: "instance error",
    21005: "service metadata error",
    21006: "selector error",
    21007: "service already exist",
    21008: "service not exist",
    21009: "service delete failure",
    21010: "healthy param miss",
    21011: "health check still running",
    22000: "illegal namespace",
    22001: "namespace not exist",
    22002: "namespace already exist",
    23000: "illegal state",
    30000: "server error",
    40000: "API deprecated",
    40001: "API function disabled",
    100002: "Imported metadata is invalid",
    100004: "Failed to parse data",
    100005: "Imported file data is empty",
    100006: "No configuration selected",
}


class NacosError(Exception):
    """A refused call: `status` is the HTTP status, `code` the Nacos error code, `detail` what was wrong."""

    def __init__(self, status: int, detail: str, code: int = 30000) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        super().__init__(detail)

    @property
    def text(self) -> str:
        """The text of the error's class, as the v2 and v3 envelopes print it."""
        return CODE_TEXTS.get(self.code, "server error")


class MissingParameter(NacosError):
    """A required parameter did not come; each API family words this its own way."""

    def __init__(self, name: str, kind: str = "String") -> None:
        self.name = name
        self.kind = kind
        super().__init__(400, f"Required parameter '{name}' type {kind} is not present", 10000)


class Unbound(MissingParameter):
    """A parameter that the web framework binds did not come; naming v1 words this unlike what it looks up itself."""


class Filtered(NacosError):
    """Refused by a filter before any controller: Spring's own error JSON in every API family."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail, 20002)


class Unreadable(Filtered):
    """A parameter that the checker's filter fails to read; the filters around it tell so in their own words."""

    def __init__(self, detail: str) -> None:
        super().__init__(500, detail)


class Unconvertible(NacosError):
    """A parameter that the web framework can't turn into its Java type."""

    def __init__(self, name: str, kind: str, value: str) -> None:
        self.name = name
        self.kind = kind
        self.why = f'For input string: "{value}"'
        super().__init__(400, self.why, 20002)


class IllegalParameter(NacosError):
    """The parameter checker's refusal: a filter before all controllers, so every API family answers it as text."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail, 20002)


def invalid(detail: str, code: int = 20002) -> NacosError:
    """A parameter has a value that the server does not take."""
    return NacosError(400, detail, code)


def not_found(detail: str, code: int = 20004) -> NacosError:
    """What was asked for is not there."""
    return NacosError(404, detail, code)
