"""bi-api-jushuitan's configuration, data ID `bi-api-jushuitan.yaml`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from stubs.common.config import ServiceConfig


class Client(BaseModel):
    """Who may call: by `app_key` in X-App-Key; call-backs are signed with `app_secret`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    app_key: str = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=16)


def _clients() -> tuple[Client, ...]:
    secret = SecretStr("erp-demo-development-secret")
    return (Client(name="erp-demo", app_key="erp-demo-key", app_secret=secret),)


class JushuitanConfig(ServiceConfig):
    """Clients, sizes and the call-backs' time window.

    With `require_client` every request needs a known X-App-Key; without, only a wrong one is refused.
    """

    clients: tuple[Client, ...] = Field(default_factory=_clients)
    require_client: bool = False
    callback_window_seconds: int = Field(default=300, ge=1)
    orders: int = Field(default=237, ge=0, le=1_000_000)
    skus: int = Field(default=60, ge=1, le=100_000)
    warehouses: tuple[str, ...] = Field(default=("hangzhou", "guangzhou"), min_length=1)
    max_page_size: int = Field(default=100, ge=1, le=10_000)
