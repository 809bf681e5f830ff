"""`/v1/auth`: login."""

from __future__ import annotations

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.router import credentials_of
from harness.emulators.nacos.http.routes import Call, Family, Route


def login(call: Call) -> Response:
    """A token for a user and password, or a fresh one for a token that is still good."""
    credentials = credentials_of(call.request, "")
    if not credentials.token:
        call.request.need("username")
        call.request.need("password")
    try:
        answer = call.domain.gate.login(credentials)
    except NacosError as error:
        return text(error.detail, error.status)
    return as_json(answer, headers=(("Authorization", f"Bearer {answer['accessToken']}"),))


ROUTES = (
    Route("POST", "/v1/auth/login", login, Family.CONFIG),
    Route("POST", "/v1/auth/users/login", login, Family.CONFIG),
)
