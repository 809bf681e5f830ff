"""What bi-api-leke does, whichever way it is asked; its figures are alike in every replica."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from stubs.bi_api_leke.config import LekeConfig
from stubs.common.errors import ApiError, not_found
from stubs.common.logs import timestamp
from stubs.common.replica import Replica

#: 2024-01-01T00:00:00Z; a sale every 3 minutes from there on.
FIRST_SOLD, APART = 1_704_067_200, 180


class CursorQuery(BaseModel):
    """Which page is wanted: the first, or the one that the page before named."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1)
    cursor: str = ""


class SalesQuery(CursorQuery):
    """Which sales are listed."""

    product_id: str = ""


class Leke:
    """The operations, following the configuration in force."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def _config(self) -> LekeConfig:
        config: LekeConfig = self._replica.config.current
        return config

    def products(self, wanted: CursorQuery) -> dict[str, Any]:
        """A page of the products."""
        return self._page("products", wanted, range(self._config.products), self._product)

    def product(self, product_id: str) -> dict[str, Any]:
        """One product; 404 when unknown."""
        return self._product(self._number(product_id))

    def sales(self, wanted: SalesQuery) -> dict[str, Any]:
        """A page of the sales, the oldest first; 404 for an unknown product."""
        numbers: Sequence[int] = range(self._config.sales)
        if wanted.product_id:
            product = self._number(wanted.product_id)
            numbers = [number for number in numbers if self._sold(number) == product]
        return self._page(f"sales/{wanted.product_id}", wanted, numbers, self._sale)

    def _number(self, product_id: str) -> int:
        digits = product_id.removeprefix("lk-")
        number = int(digits) if digits.isascii() and digits.isdigit() else -1
        if f"lk-{number:05d}" != product_id or number >= self._config.products:
            raise not_found("product", product_id)
        return number

    def _page(
        self, kind: str, wanted: CursorQuery, found: Sequence[int], show: Callable[[int], dict[str, Any]]
    ) -> dict[str, Any]:
        most = self._config.max_limit
        if wanted.limit > most:
            raise _wrong("limit", f"at most {most}")
        start = _position(kind, wanted.cursor)
        end = start + wanted.limit
        return {
            "items": [show(number) for number in found[start:end]],
            "next_cursor": _cursor(kind, end) if end < len(found) else "",
        }

    def _product(self, number: int) -> dict[str, Any]:
        figure = crc32(b"product/%d" % number)
        categories = self._config.categories
        return {
            "id": f"lk-{number:05d}",
            "name": f"Product {number}",
            "category": categories[figure % len(categories)],
            "price": figure % 50_000 / 100,
        }

    def _sold(self, number: int) -> int:
        return crc32(b"sold/%d" % number) % self._config.products

    def _sale(self, number: int) -> dict[str, Any]:
        figure = crc32(b"sale/%d" % number)
        return {
            "id": f"s-{number:06d}",
            "product_id": f"lk-{self._sold(number):05d}",
            "quantity": figure % 5 + 1,
            "amount": figure % 200_000 / 100,
            "sold": timestamp(FIRST_SOLD + number * APART),
        }


def _cursor(kind: str, position: int) -> str:
    """Opaque on purpose: it names the list it belongs to, so that one list's cursor is refused by another."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def _position(kind: str, cursor: str) -> int:
    if not cursor:
        return 0
    try:
        named, _, position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().rpartition(":")
    except (binascii.Error, ValueError):
        raise _wrong("cursor", "not a cursor of this service") from None
    if named != kind or not position.isdigit():
        raise _wrong("cursor", "not a cursor of this list")
    return int(position)


def _wrong(field: str, message: str) -> ApiError:
    return ApiError(422, "invalid", "1 invalid field(s)", [{"field": field, "message": message}])
