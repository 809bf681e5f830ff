"""apisix-client: declares resources, dumps them, brings them to another state, dumps again; prints the dumps."""

from __future__ import annotations

import json
import sys
from typing import Any

from apisix_client.client import ApisixClient
from apisix_client.consumer.models import Consumer
from apisix_client.route.models import Route
from apisix_client.service.models import Service
from apisix_client.upstream.models import Node, Upstream

NODES = [Node(host="127.0.0.1", port=80, weight=1)]


def declared(client: ApisixClient) -> None:
    """The first state."""
    assert client.upstream.create_or_update(Upstream(name="up", nodes=NODES), "u1") == "u1"
    assert client.service.create_or_update(Service(name="svc", upstream_id="u1", labels={"team": "a"}), "s1") == "s1"
    assert client.consumer.create_or_update(Consumer(username="jack", desc="no plugins: the client reads none back"))
    for id_ in ("r1", "r2"):
        route = Route(name=id_, uri=f"/{id_}", service_id="s1", methods=["GET"])
        assert client.route.create_or_update(route, id_) == id_
    made = client.route.create_with_id_generation(Route(name="made", uri="/made", upstream_id="u1"))
    assert made is not None and len(made) == 20


def brought_to(client: ApisixClient) -> None:
    """The second state: what is too much goes, what differs is replaced."""
    for held in client.route.get_all([1, 10]):
        if held.value.name != "r1":
            assert client.route.delete(held.value.id)
    assert client.route.create_or_update(Route(name="r1", uri="/other", service_id="s1", priority=5), "r1") == "r1"
    # still used: the API refuses, and the client says so
    assert client.upstream._httpx_client.delete("/upstreams/u1").status_code == 400


def dump(client: ApisixClient) -> dict[str, Any]:
    """What the client's own models make of the lists."""
    return {
        "routes": sorted((one.value.name, one.value.uri, one.value.service_id) for one in client.route.get_all()),
        "services": sorted((one.value.id, one.value.name, one.value.upstream_id) for one in client.service.get_all()),
        "upstreams": sorted((one.value.id, one.value.type) for one in client.upstream.get_all()),
        "consumers": sorted(one.value.username for one in client.consumer.get_all()),
        "total": client.route.count(),
    }


def main() -> None:
    client = ApisixClient(sys.argv[1].rstrip("/") + "/", sys.argv[2])
    declared(client)
    first = dump(client)
    brought_to(client)
    print(json.dumps([first, dump(client)]))


main()
