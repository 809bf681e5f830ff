"""bi-api-leke's HTTP routes and RPCs."""

from __future__ import annotations

from typing import Any

import grpc.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.bi_api_leke import leke_pb2 as pb
from stubs.bi_api_leke import leke_pb2_grpc as pb_grpc
from stubs.bi_api_leke.config import LekeConfig
from stubs.bi_api_leke.operations import CursorQuery, Leke, SalesQuery
from stubs.common import rpc
from stubs.common.http import answer, query
from stubs.common.replica import Replica
from stubs.common.service import Faces, Service


class Http:
    """The HTTP routes."""

    def __init__(self, leke: Leke) -> None:
        self._leke = leke

    def routes(self) -> list[Route]:
        """Path by path."""
        return [
            Route("/v1/products", self.products),
            Route("/v1/products/{id}", self.product),
            Route("/v1/sales", self.sales),
        ]

    async def products(self, request: Request) -> Response:
        """GET /v1/products?limit=&cursor=."""
        return answer(self._leke.products(query(request, CursorQuery)))

    async def product(self, request: Request) -> Response:
        """GET /v1/products/{id}."""
        return answer(self._leke.product(request.path_params["id"]))

    async def sales(self, request: Request) -> Response:
        """GET /v1/sales?limit=&cursor=&product_id=."""
        return answer(self._leke.sales(query(request, SalesQuery)))


class Rpcs(pb_grpc.LekeServicer):
    """bi.leke.v1.Leke."""

    def __init__(self, leke: Leke) -> None:
        self._leke = leke

    async def ListProducts(self, request: pb.ListProductsRequest, context: Any) -> pb.ListProductsReply:
        """A page of the products."""
        return rpc.reply(self._leke.products(rpc.read(request, CursorQuery)), pb.ListProductsReply())

    async def GetProduct(self, request: pb.GetProductRequest, context: Any) -> pb.Product:
        """One product."""
        return rpc.reply(self._leke.product(request.id), pb.Product())

    async def ListSales(self, request: pb.ListSalesRequest, context: Any) -> pb.ListSalesReply:
        """A page of the sales."""
        return rpc.reply(self._leke.sales(rpc.read(request, SalesQuery)), pb.ListSalesReply())


def build(replica: Replica) -> Faces:
    """Both faces around one set of operations."""
    leke = Leke(replica)

    def add_rpcs(server: grpc.aio.Server) -> None:
        pb_grpc.add_LekeServicer_to_server(Rpcs(leke), server)  # type: ignore[no-untyped-call]

    return Faces(Http(leke).routes(), add_rpcs)


SERVICE = Service("bi-api-leke", LekeConfig, build)
