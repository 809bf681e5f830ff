"""bi-api-jushuitan's HTTP routes and RPCs."""

from __future__ import annotations

from typing import Any

import grpc.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.bi_api_jushuitan import jushuitan_pb2 as pb
from stubs.bi_api_jushuitan import jushuitan_pb2_grpc as pb_grpc
from stubs.bi_api_jushuitan.config import JushuitanConfig
from stubs.bi_api_jushuitan.operations import InventoryQuery, Jushuitan, OrderQuery
from stubs.common import rpc
from stubs.common.http import answer, caller_of, query
from stubs.common.replica import Replica
from stubs.common.service import Faces, Service


class Http:
    """The HTTP routes."""

    def __init__(self, jushuitan: Jushuitan) -> None:
        self._jushuitan = jushuitan

    def routes(self) -> list[Route]:
        """Path by path."""
        return [
            Route("/v1/orders", self.orders),
            Route("/v1/orders/{id}", self.order),
            Route("/v1/inventory", self.inventory),
            Route("/v1/callbacks", self.call_back, methods=["POST"]),
            Route("/v1/callbacks", self.call_backs, methods=["GET"]),
        ]

    async def orders(self, request: Request) -> Response:
        """GET /v1/orders?page_index=&page_size=&status=."""
        self._jushuitan.admit(caller_of(request))
        return answer(self._jushuitan.orders(query(request, OrderQuery)))

    async def order(self, request: Request) -> Response:
        """GET /v1/orders/{id}."""
        self._jushuitan.admit(caller_of(request))
        return answer(self._jushuitan.order(request.path_params["id"]))

    async def inventory(self, request: Request) -> Response:
        """GET /v1/inventory?page_index=&page_size=&warehouse=."""
        self._jushuitan.admit(caller_of(request))
        return answer(self._jushuitan.inventory(query(request, InventoryQuery)))

    async def call_back(self, request: Request) -> Response:
        """POST /v1/callbacks, signed."""
        return answer(self._jushuitan.call_back(caller_of(request), await request.body()))

    async def call_backs(self, request: Request) -> Response:
        """GET /v1/callbacks."""
        self._jushuitan.admit(caller_of(request))
        return answer(self._jushuitan.call_backs())


class Rpcs(pb_grpc.JushuitanServicer):
    """bi.jushuitan.v1.Jushuitan."""

    def __init__(self, jushuitan: Jushuitan) -> None:
        self._jushuitan = jushuitan

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersReply:
        """A page of the orders."""
        self._jushuitan.admit(rpc.caller_of(context))
        return rpc.reply(self._jushuitan.orders(rpc.read(request, OrderQuery)), pb.ListOrdersReply())

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.Order:
        """One order."""
        self._jushuitan.admit(rpc.caller_of(context))
        return rpc.reply(self._jushuitan.order(request.order_id), pb.Order())

    async def ListInventory(self, request: pb.ListInventoryRequest, context: Any) -> pb.ListInventoryReply:
        """A page of the stock."""
        self._jushuitan.admit(rpc.caller_of(context))
        return rpc.reply(self._jushuitan.inventory(rpc.read(request, InventoryQuery)), pb.ListInventoryReply())

    async def CallBack(self, request: pb.CallBackRequest, context: Any) -> pb.CallBackReply:
        """A signed event."""
        found = self._jushuitan.call_back(rpc.caller_of(context), request.body.encode())
        return rpc.reply(found, pb.CallBackReply())


def build(replica: Replica) -> Faces:
    """Both faces around one set of operations."""
    jushuitan = Jushuitan(replica)

    def add_rpcs(server: grpc.aio.Server) -> None:
        pb_grpc.add_JushuitanServicer_to_server(Rpcs(jushuitan), server)  # type: ignore[no-untyped-call]

    return Faces(Http(jushuitan).routes(), add_rpcs)


SERVICE = Service("bi-api-jushuitan", JushuitanConfig, build)
