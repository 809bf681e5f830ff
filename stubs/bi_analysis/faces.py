"""bi-analysis's HTTP routes and RPCs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc.aio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from stubs.bi_analysis import analysis_pb2 as pb
from stubs.bi_analysis import analysis_pb2_grpc as pb_grpc
from stubs.bi_analysis.config import AnalysisConfig
from stubs.bi_analysis.operations import Analysis, ExportQuery, QueryRequest
from stubs.common import rpc
from stubs.common.http import answer, json_body, query
from stubs.common.replica import Replica
from stubs.common.service import Faces, Service


class Http:
    """The HTTP routes."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def routes(self) -> list[Route]:
        """Path by path."""
        return [
            Route("/v1/queries", self.query, methods=["POST"]),
            Route("/v1/reports/{id}", self.report),
            Route("/v1/reports/{id}/export.csv", self.export),
        ]

    async def query(self, request: Request) -> Response:
        """POST /v1/queries."""
        return answer(await self._analysis.query(await json_body(request, QueryRequest)))

    async def report(self, request: Request) -> Response:
        """GET /v1/reports/{id}."""
        return answer(self._analysis.report(request.path_params["id"]))

    async def export(self, request: Request) -> Response:
        """GET /v1/reports/{id}/export.csv?rows=N: streamed, never gathered."""
        report_id = request.path_params["id"]
        batches = self._analysis.export(report_id, query(request, ExportQuery))
        headers = {"content-disposition": f'attachment; filename="{report_id}.csv"'}
        return StreamingResponse(_lines(batches), media_type="text/csv", headers=headers)


async def _lines(batches: Iterator[tuple[int, int, str]]) -> AsyncIterator[str]:
    for _, _, text in batches:
        yield text
        await asyncio.sleep(0)  # other requests have their turn between two batches


class Rpcs(pb_grpc.AnalysisServicer):
    """bi.analysis.v1.Analysis."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    async def Query(self, request: pb.QueryRequest, context: Any) -> pb.QueryReply:
        """A query."""
        return rpc.reply(await self._analysis.query(rpc.read(request, QueryRequest)), pb.QueryReply())

    async def GetReport(self, request: pb.GetReportRequest, context: Any) -> pb.Report:
        """A report."""
        return rpc.reply(self._analysis.report(request.id), pb.Report())

    async def Export(self, request: pb.ExportRequest, context: Any) -> AsyncIterator[pb.ExportBatch]:
        """A report's rows."""
        rows = pb.ExportRequest()
        rows.CopyFrom(request)
        rows.ClearField("id")
        for first, count, text in self._analysis.export(request.id, rpc.read(rows, ExportQuery)):
            yield pb.ExportBatch(first_row=first, rows=count, csv=text)


def build(replica: Replica) -> Faces:
    """Both faces around one set of operations."""
    analysis = Analysis(replica)

    def add_rpcs(server: grpc.aio.Server) -> None:
        pb_grpc.add_AnalysisServicer_to_server(Rpcs(analysis), server)  # type: ignore[no-untyped-call]

    return Faces(Http(analysis).routes(), add_rpcs)


SERVICE = Service("bi-analysis", AnalysisConfig, build)
