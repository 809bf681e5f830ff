"""bi-api-leke: lists by cursor."""

from __future__ import annotations

import grpc
import pytest

from stubs.bi_api_leke import leke_pb2 as pb
from stubs.bi_api_leke.leke_pb2_grpc import LekeStub


def test_cursors_lead_through_the_whole_list(bi_api_leke):
    seen, cursor, pages = [], "", 0
    while True:
        answer = bi_api_leke.http.get("/v1/products", params={"limit": 20, "cursor": cursor}).json()
        seen += [product["id"] for product in answer["items"]]
        pages += 1
        if not (cursor := answer["next_cursor"]):
            break
    assert pages == 3
    assert seen == [f"lk-{number:05d}" for number in range(45)]


def test_products_and_their_sales(bi_api_leke):
    product = bi_api_leke.http.get("/v1/products/lk-00007").json()
    assert product["name"] == "Product 7"
    sales = bi_api_leke.http.get("/v1/sales?product_id=lk-00007&limit=100").json()
    assert sales["items"] and {sale["product_id"] for sale in sales["items"]} == {"lk-00007"}
    assert [bi_api_leke.http.get(f"/v1/products/{wrong}").status_code for wrong in ("7", "lk-7", "lk-99999")] == [
        404
    ] * 3


def test_a_cursor_of_another_list_is_refused(bi_api_leke):
    cursor = bi_api_leke.http.get("/v1/products").json()["next_cursor"]
    for wrong in (cursor, "!!", "AAAA"):
        answer = bi_api_leke.http.get("/v1/sales", params={"cursor": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
    assert bi_api_leke.http.get("/v1/sales?limit=101").status_code == 422


def test_the_same_over_grpc(bi_api_leke):
    with bi_api_leke.channel() as channel:
        stub = LekeStub(channel)
        first = stub.ListProducts(pb.ListProductsRequest(limit=40))
        rest = stub.ListProducts(pb.ListProductsRequest(limit=40, cursor=first.next_cursor))
        assert (len(first.items), len(rest.items), rest.next_cursor) == (40, 5, "")
        assert stub.GetProduct(pb.GetProductRequest(id="lk-00001")).name == "Product 1"
        assert len(stub.ListSales(pb.ListSalesRequest()).items) == 20
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetProduct(pb.GetProductRequest(id="lk-x"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
