"""What bi-api-jushuitan does, whichever way it is asked; its figures are alike in every replica."""

from __future__ import annotations

import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Literal
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from stubs.bi_api_jushuitan.config import Client, JushuitanConfig
from stubs.bi_api_jushuitan.signing import sign
from stubs.common.errors import ApiError, not_found
from stubs.common.identity import Caller
from stubs.common.logs import timestamp
from stubs.common.replica import Replica

STATUSES = ("pending", "paid", "shipped", "closed")
FIRST_ORDER = 100_001
#: 2024-01-01T00:00:00Z; an order every 7 minutes from there on.
FIRST_CREATED, APART = 1_704_067_200, 420
REMEMBERED_EVENTS = 1000


class Page(BaseModel):
    """Which page is wanted, numbered from 1."""

    model_config = ConfigDict(extra="forbid")

    page_index: int = Field(default=1, ge=1)
    page_size: int = Field(default=50, ge=1)


class OrderQuery(Page):
    """Which orders are listed."""

    status: Literal["", "pending", "paid", "shipped", "closed"] = ""


class InventoryQuery(Page):
    """Which stock is listed."""

    warehouse: str = ""


class Jushuitan:
    """The operations, following the configuration in force."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._events: OrderedDict[str, dict[str, Any]] = OrderedDict()

    @property
    def _config(self) -> JushuitanConfig:
        config: JushuitanConfig = self._replica.config.current
        return config

    def _client(self, app_key: str) -> Client:
        client = next((client for client in self._config.clients if client.app_key == app_key), None)
        if client is None:
            raise ApiError(401, "unknown_client", "X-App-Key names no client")
        return client

    def admit(self, caller: Caller) -> None:
        """Refuse (401) an unknown client, and one that doesn't say its key when it must."""
        app_key = caller.header("x-app-key")
        if app_key or self._config.require_client:
            self._client(app_key)

    def orders(self, wanted: OrderQuery) -> dict[str, Any]:
        """A page of the orders, the oldest first."""
        numbers: Sequence[int] = range(self._config.orders)
        if wanted.status:
            numbers = [number for number in numbers if _status(number) == wanted.status]
        return self._page(wanted, numbers, self._order)

    def order(self, order_id: str) -> dict[str, Any]:
        """One order; 404 when unknown."""
        number = int(order_id) - FIRST_ORDER if order_id.isascii() and order_id.isdigit() else -1
        if not 0 <= number < self._config.orders:
            raise not_found("order", order_id)
        return self._order(number)

    def inventory(self, wanted: InventoryQuery) -> dict[str, Any]:
        """A page of the stock by SKU and warehouse."""
        config = self._config
        houses = [house for house in config.warehouses if wanted.warehouse in ("", house)]
        places = [(sku, house) for sku in range(config.skus) for house in houses] if houses else []
        return self._page(wanted, places, _stock)

    def _page(self, wanted: Page, found: Sequence[Any], show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        most = self._config.max_page_size
        if wanted.page_size > most:
            message = f"at most {most}"
            raise ApiError(422, "invalid", "1 invalid field(s)", [{"field": "page_size", "message": message}])
        start = (wanted.page_index - 1) * wanted.page_size
        end = start + wanted.page_size
        return {
            "items": [show(item) for item in found[start:end]],
            "page_index": wanted.page_index,
            "page_size": wanted.page_size,
            "total": len(found),
            "has_next": end < len(found),
        }

    def _order(self, number: int) -> dict[str, Any]:
        figure = crc32(b"order/%d" % number)
        return {
            "order_id": str(FIRST_ORDER + number),
            "shop": f"shop-{figure % 5 + 1}",
            "status": _status(number),
            "sku": f"sku-{figure % self._config.skus:04d}",
            "quantity": figure % 9 + 1,
            "amount": figure % 100_000 / 100,
            "created": timestamp(FIRST_CREATED + number * APART),
        }

    def call_back(self, caller: Caller, body: bytes) -> dict[str, Any]:
        """Take a signed event once; 401 for a wrong client, time or signature, 422 for an event without an id."""
        client = self._verified(caller, body)
        event_id = _event_id(body)
        duplicate = event_id in self._events
        self._events[event_id] = {"event_id": event_id, "client": client.name}
        while len(self._events) > REMEMBERED_EVENTS:
            self._events.popitem(last=False)
        return {"accepted": True, "duplicate": duplicate, "event_id": event_id, "client": client.name}

    def _verified(self, caller: Caller, body: bytes) -> Client:
        client = self._client(caller.header("x-app-key"))
        stamp = caller.header("x-timestamp")
        window = self._config.callback_window_seconds
        if not stamp.isascii() or not stamp.isdigit() or abs(self._replica.clock() - int(stamp)) > window:
            raise ApiError(401, "bad_timestamp", f"X-Timestamp is not within {window} s of now")
        expected = sign(client.app_secret.get_secret_value(), stamp, body)
        if not hmac.compare_digest(expected.encode(), caller.header("x-signature").encode()):
            raise ApiError(401, "bad_signature", "X-Signature does not match")
        return client

    def call_backs(self) -> dict[str, Any]:
        """The events that this replica took, oldest first."""
        return {"events": list(self._events.values()), "total": len(self._events)}


def _status(number: int) -> str:
    return STATUSES[crc32(b"status/%d" % number) % len(STATUSES)]


def _stock(place: tuple[int, str]) -> dict[str, Any]:
    sku, warehouse = place
    figure = crc32(f"stock/{sku}/{warehouse}".encode())
    return {"sku": f"sku-{sku:04d}", "warehouse": warehouse, "available": figure % 500, "reserved": figure % 20}


def _event_id(body: bytes) -> str:
    try:
        event = json.loads(body)
    except ValueError as error:
        raise ApiError(400, "not_json", "the body is not JSON") from error
    event_id = event.get("event_id") if isinstance(event, dict) else None
    if not isinstance(event_id, str) or not event_id:
        raise ApiError(422, "invalid", "1 invalid field(s)", [{"field": "event_id", "message": "a string is needed"}])
    return event_id
