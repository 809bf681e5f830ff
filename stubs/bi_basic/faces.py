"""bi-basic's HTTP routes and RPCs."""

from __future__ import annotations

from typing import Any

import grpc.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.bi_basic import basic_pb2 as pb
from stubs.bi_basic import basic_pb2_grpc as pb_grpc
from stubs.bi_basic.config import BasicConfig
from stubs.bi_basic.operations import Basic, Login, UserFilter
from stubs.common import rpc
from stubs.common.http import answer, caller_of, json_body, query
from stubs.common.replica import Replica
from stubs.common.service import Faces, Service


class Http:
    """The HTTP routes."""

    def __init__(self, basic: Basic) -> None:
        self._basic = basic

    def routes(self) -> list[Route]:
        """Path by path."""
        return [
            Route("/v1/auth/login", self.login, methods=["POST"]),
            Route("/v1/users", self.users),
            Route("/v1/users/{id}", self.user),
            Route("/v1/tenants", self.tenants),
            Route("/v1/tenants/{id}", self.tenant),
            Route("/v1/whoami", self.whoami),
        ]

    async def login(self, request: Request) -> Response:
        """POST /v1/auth/login."""
        return answer(self._basic.login(await json_body(request, Login)))

    async def users(self, request: Request) -> Response:
        """GET /v1/users?tenant=."""
        return answer(self._basic.users(query(request, UserFilter)))

    async def user(self, request: Request) -> Response:
        """GET /v1/users/{id}."""
        return answer(self._basic.user(request.path_params["id"]))

    async def tenants(self, _: Request) -> Response:
        """GET /v1/tenants."""
        return answer(self._basic.tenants())

    async def tenant(self, request: Request) -> Response:
        """GET /v1/tenants/{id}."""
        return answer(self._basic.tenant(request.path_params["id"]))

    async def whoami(self, request: Request) -> Response:
        """GET /v1/whoami."""
        return answer(self._basic.whoami(caller_of(request)))


class Rpcs(pb_grpc.BasicServicer):
    """bi.basic.v1.Basic."""

    def __init__(self, basic: Basic) -> None:
        self._basic = basic

    async def Login(self, request: pb.LoginRequest, context: Any) -> pb.LoginReply:
        """A token."""
        return rpc.reply(self._basic.login(rpc.read(request, Login)), pb.LoginReply())

    async def GetUser(self, request: pb.GetUserRequest, context: Any) -> pb.User:
        """One user."""
        return rpc.reply(self._basic.user(request.id), pb.User())

    async def ListUsers(self, request: pb.ListUsersRequest, context: Any) -> pb.ListUsersReply:
        """The users."""
        return rpc.reply(self._basic.users(rpc.read(request, UserFilter)), pb.ListUsersReply())

    async def GetTenant(self, request: pb.GetTenantRequest, context: Any) -> pb.Tenant:
        """One tenant."""
        return rpc.reply(self._basic.tenant(request.id), pb.Tenant())

    async def ListTenants(self, request: pb.ListTenantsRequest, context: Any) -> pb.ListTenantsReply:
        """The tenants."""
        return rpc.reply(self._basic.tenants(), pb.ListTenantsReply())

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Any) -> pb.WhoAmIReply:
        """The identity metadata."""
        return rpc.reply(self._basic.whoami(rpc.caller_of(context)), pb.WhoAmIReply())


def build(replica: Replica) -> Faces:
    """Both faces around one set of operations."""
    basic = Basic(replica)

    def add_rpcs(server: grpc.aio.Server) -> None:
        pb_grpc.add_BasicServicer_to_server(Rpcs(basic), server)  # type: ignore[no-untyped-call]

    return Faces(Http(basic).routes(), add_rpcs)


SERVICE = Service("bi-basic", BasicConfig, build)
