"""bi-api-jushuitan: paging, clients by key, and signed call-backs."""

from __future__ import annotations

import json
import time

import grpc
import pytest

from stubs.bi_api_jushuitan import jushuitan_pb2 as pb
from stubs.bi_api_jushuitan.jushuitan_pb2_grpc import JushuitanStub
from stubs.bi_api_jushuitan.signing import sign

SECRET = "erp-demo-development-secret"
EVENT = json.dumps({"event_id": "e-1", "kind": "order.paid"}).encode()


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET, key: str = "erp-demo-key") -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    return {"x-app-key": key, "x-timestamp": stamp, "x-signature": sign(secret, stamp, body)}


def test_pages_join_to_the_whole_without_a_gap(bi_api_jushuitan):
    seen: list[str] = []
    page, more = 1, True
    while more:
        answer = bi_api_jushuitan.http.get(f"/v1/orders?page_index={page}&page_size=100").json()
        seen += [order["order_id"] for order in answer["items"]]
        page, more = page + 1, answer["has_next"]
    assert page == 4
    assert seen == [str(100_001 + number) for number in range(answer["total"])]


def test_orders_by_status_and_by_id(bi_api_jushuitan):
    paid = bi_api_jushuitan.http.get("/v1/orders?status=paid&page_size=100").json()
    assert {order["status"] for order in paid["items"]} == {"paid"}
    order = paid["items"][0]
    assert bi_api_jushuitan.http.get(f"/v1/orders/{order['order_id']}").json() == order
    assert [bi_api_jushuitan.http.get(f"/v1/orders/{wrong}").status_code for wrong in ("1", "x", "999999")] == [404] * 3
    stock = bi_api_jushuitan.http.get("/v1/inventory?warehouse=hangzhou").json()
    assert (stock["total"], stock["has_next"]) == (60, True)


@pytest.mark.parametrize("query", ["page_index=0", "page_size=0", "page_size=101", "status=lost", "page=1"])
def test_a_wrong_page_is_refused(bi_api_jushuitan, query):
    assert bi_api_jushuitan.http.get(f"/v1/orders?{query}").status_code == 422


def test_clients_are_known_by_key(bi_api_jushuitan, warm, tmp_path):
    def status(replica, **headers):
        return replica.http.get("/v1/orders", headers=headers).status_code

    wrong = {"X-App-Key": "wrong"}
    assert (status(bi_api_jushuitan), status(bi_api_jushuitan, **wrong)) == (200, 401)
    config = tmp_path / "strict.yaml"
    config.write_text("require_client: true\n")
    strict = warm.start("bi-api-jushuitan", "jushuitan-strict", CONFIG_FILE=str(config))
    assert (status(strict), status(strict, **{"X-App-Key": "erp-demo-key"})) == (401, 200)


def test_a_signed_call_back_is_taken_once(bi_api_jushuitan):
    post = bi_api_jushuitan.http.post
    first = post("/v1/callbacks", content=EVENT, headers=signed(EVENT)).json()
    again = post("/v1/callbacks", content=EVENT, headers=signed(EVENT)).json()
    assert first == {"accepted": True, "duplicate": False, "event_id": "e-1", "client": "erp-demo"}
    assert again["duplicate"]
    assert {"event_id": "e-1", "client": "erp-demo"} in bi_api_jushuitan.http.get("/v1/callbacks").json()["events"]


#: What is wrong with a call-back → its headers, made when they are sent: they hold the time.
DISTRUSTED = {
    "no client": (dict, "unknown_client"),
    "another client": (lambda: signed(EVENT, key="nobody"), "unknown_client"),
    "another secret": (lambda: signed(EVENT, secret="another"), "bad_signature"),
    "another body": (lambda: signed(EVENT + b" "), "bad_signature"),
    "too old": (lambda: signed(EVENT, at=time.time() - 400), "bad_timestamp"),
    "too early": (lambda: signed(EVENT, at=time.time() + 400), "bad_timestamp"),
    "no time": (lambda: {**signed(EVENT), "x-timestamp": "soon"}, "bad_timestamp"),
}


@pytest.mark.parametrize("wrong", DISTRUSTED)
def test_a_call_back_that_can_not_be_trusted_is_refused(bi_api_jushuitan, wrong):
    headers, code = DISTRUSTED[wrong]
    answer = bi_api_jushuitan.http.post("/v1/callbacks", content=EVENT, headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_a_trusted_call_back_without_an_event_is_refused(bi_api_jushuitan):
    post = bi_api_jushuitan.http.post
    assert post("/v1/callbacks", content=b"{", headers=signed(b"{")).status_code == 400
    assert post("/v1/callbacks", content=b"{}", headers=signed(b"{}")).status_code == 422


def test_the_same_over_grpc(bi_api_jushuitan):
    with bi_api_jushuitan.channel() as channel:
        stub = JushuitanStub(channel)
        page = stub.ListOrders(pb.ListOrdersRequest(page_index=3, page_size=100))
        assert (len(page.items), page.total, page.has_next) == (37, 237, False)
        assert stub.GetOrder(pb.GetOrderRequest(order_id=page.items[0].order_id)) == page.items[0]
        assert stub.ListInventory(pb.ListInventoryRequest(warehouse="guangzhou")).total == 60
        body = json.dumps({"event_id": "e-grpc"})
        metadata = tuple(signed(body.encode()).items())
        assert stub.CallBack(pb.CallBackRequest(body=body), metadata=metadata).accepted
        with pytest.raises(grpc.RpcError) as refused:
            stub.CallBack(pb.CallBackRequest(body=body + " "), metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert dict(refused.value.trailing_metadata())["x-error-code"] == "bad_signature"
