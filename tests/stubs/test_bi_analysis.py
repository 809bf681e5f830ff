"""bi-analysis: what a query costs and takes, reports that any replica knows, and the streamed export."""

from __future__ import annotations

import csv
import io

import grpc
import pytest

from stubs.bi_analysis import analysis_pb2 as pb
from stubs.bi_analysis.analysis_pb2_grpc import AnalysisStub


def test_cost_and_latency_follow_the_request(bi_analysis):
    small = bi_analysis.http.post("/v1/queries", json={"rows": 1000}).json()
    large = bi_analysis.http.post("/v1/queries", json={"rows": 4000, "complexity": 2}).json()
    assert (small["cost"], small["latency_ms"]) == (1.0, 2.0)
    assert (large["cost"], large["latency_ms"]) == (8.0, 9.0)
    took = [entry["duration_ms"] for entry in bi_analysis.http.get("/_stub/journal").json()["requests"]]
    assert took[0] >= 2 and took[1] >= 9


def test_a_request_may_name_its_latency_within_the_bound(warm, tmp_path):
    config = tmp_path / "bi-analysis.yaml"
    config.write_text("max_latency_ms: 20\n")
    replica = warm.start("bi-analysis", "analysis-bounded", CONFIG_FILE=str(config))
    answer = replica.http.post("/v1/queries", json={"latency_ms": 60_000}).json()
    assert answer["latency_ms"] == 20


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dataset": "secrets"}, "dataset"),
        ({"rows": 0}, "rows"),
        ({"rows": 10**7}, "rows"),
        ({"complexity": 11}, "complexity"),
    ],
)
def test_a_query_is_refused_by_field(bi_analysis, body, field):
    answer = bi_analysis.http.post("/v1/queries", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_every_replica_knows_a_report_by_its_id(bi_analysis, warm):
    other = warm.start("bi-analysis", "analysis-other")
    report_id = bi_analysis.http.post("/v1/queries", json={"dataset": "inventory", "rows": 50}).json()["report_id"]
    path = f"/v1/reports/{report_id}"
    assert bi_analysis.http.get(path).json() == other.http.get(path).json()
    assert len(other.http.get(path).json()["totals"]) == 4
    assert other.http.get("/v1/reports/r-nothing-1-1").status_code == 404


@pytest.mark.parametrize("rows", [0, 1, 499, 500, 501, 20_000])
def test_the_export_has_as_many_rows_as_asked(bi_analysis, rows):
    answer = bi_analysis.http.get(f"/v1/reports/r-sales-10-1/export.csv?rows={rows}")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["transfer-encoding"] == "chunked"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [line["row"] for line in lines] == [str(row) for row in range(rows)]


def test_the_export_refuses_before_the_first_byte(bi_analysis):
    assert bi_analysis.http.get("/v1/reports/r-nothing-1-1/export.csv").status_code == 404
    assert bi_analysis.http.get("/v1/reports/r-sales-10-1/export.csv?rows=99999999").status_code == 422


def test_the_same_over_grpc(bi_analysis):
    with bi_analysis.channel() as channel:
        stub = AnalysisStub(channel)
        answer = stub.Query(pb.QueryRequest(rows=2000, latency_ms=0))
        assert (answer.cost, answer.latency_ms, answer.replica) == (2.0, 0, "bi-analysis-0")
        assert len(stub.GetReport(pb.GetReportRequest(id=answer.report_id)).totals) == 4
        batches = list(stub.Export(pb.ExportRequest(id=answer.report_id, rows=1200)))
        assert [(batch.first_row, batch.rows) for batch in batches] == [(0, 500), (500, 500), (1000, 200)]
        text = bi_analysis.http.get(f"/v1/reports/{answer.report_id}/export.csv?rows=1200").text
        assert "".join(batch.csv for batch in batches) == text
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.Export(pb.ExportRequest(id=answer.report_id, rows=-1)))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
