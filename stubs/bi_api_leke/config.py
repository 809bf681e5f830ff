"""bi-api-leke's configuration, data ID `bi-api-leke.yaml`."""

from __future__ import annotations

from pydantic import Field

from stubs.common.config import ServiceConfig


class LekeConfig(ServiceConfig):
    """How much there is to page through."""

    products: int = Field(default=45, ge=1, le=100_000)
    sales: int = Field(default=500, ge=0, le=1_000_000)
    categories: tuple[str, ...] = Field(default=("toys", "books", "food"), min_length=1)
    max_limit: int = Field(default=100, ge=1, le=10_000)
