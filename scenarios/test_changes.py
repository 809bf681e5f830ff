"""Changes made while the platform runs: seen within a second, without a lost request."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from harness.wait import until

#: "within a second" is the platform's promise for every change made while it runs
SOON = 1.0

TENANT = "/bi-basic/v1/tenants/acme"


@pytest.fixture
def configuration(nacos, stack):
    """Read and publish a service's configuration: `read(name)`, `publish(name, text)`."""
    where = {"group": stack.platform.nacos.group, "namespace": stack.platform.nacos.namespace}

    class Configuration:
        def read(self, service: str) -> str:
            return nacos.config(f"{service}.yaml", **where)

        def publish(self, service: str, text: str) -> None:
            nacos.publish(f"{service}.yaml", text, type="yaml", **where)

    return Configuration()


@pytest.mark.requires("admin")
def test_a_new_route_is_live_at_once(gateway, apisix, traffic):
    new = {
        "uri": "/new/*",
        "service_id": "bi-basic",
        "plugins": {"proxy-rewrite": {"regex_uri": ["^/new/(.*)", "/$1"]}},
    }
    assert gateway.get("/new/healthz").status_code == 404
    with traffic("/bi-basic/healthz", {}) as seen:
        apisix.put("routes", "new", new)
        until(lambda: gateway.get("/new/healthz").status_code == 200, SOON, awaited="the new route")
        apisix.delete("routes", "new")
        until(lambda: gateway.get("/new/healthz").status_code == 404, SOON, awaited="its end")
        seen.after(20)
    seen.assert_none_failed()


@pytest.mark.requires("admin")
def test_a_changed_route_loses_no_request(gateway, apisix, traffic):
    headers = gateway.bearer("bi-user")
    path = "/bi-basic/v1/tenants"
    with traffic(path, headers) as seen:
        for value in ("one", "two"):
            change = {"plugins": {"proxy-rewrite": {"headers": {"set": {"X-Tenant-Id": value}}}}}
            apisix.patch("routes", "bi-basic", change)
            until(
                lambda value=value: gateway.get("/bi-basic/v1/whoami", headers=headers).json()["tenant"] == value,
                SOON,
                awaited=f"the route's change to {value}",
            )
        seen.after(20)
    seen.assert_none_failed()


@pytest.mark.requires("admin")
def test_a_refused_change_changes_nothing(gateway, apisix):
    from harness.errors import RemoteError

    with pytest.raises(RemoteError, match="unknown plugin"):
        apisix.patch("routes", "bi-basic", {"plugins": {"no-such-plugin": {}}})
    assert gateway.get("/bi-basic/v1/tenants", headers=gateway.bearer("bi-user")).status_code == 200


@pytest.mark.requires("nacos-write")
def test_a_services_configuration_is_applied_while_it_runs(gateway, configuration, traffic, service):
    headers = gateway.bearer("bi-user")
    content = yaml.safe_load(configuration.read("bi-basic"))
    content["tenants"][0]["name"] = "Acme Renamed"

    def everywhere() -> bool:
        return all(gateway.get(TENANT, headers=headers).json()["name"] == "Acme Renamed" for _ in range(4))

    with traffic(TENANT, headers) as seen:
        configuration.publish("bi-basic", yaml.safe_dump(content))
        until(everywhere, SOON, awaited="the new name from every replica")
        seen.after(20)
    seen.assert_none_failed()


@pytest.mark.requires("nacos-write", "stubs")
def test_a_bad_configuration_is_refused_and_the_last_good_one_stays(gateway, configuration, service):
    replicas = service("bi-basic").replicas
    good = hashlib.md5(configuration.read("bi-basic").encode()).hexdigest()

    def all_have_it() -> bool:
        return all(replica.ask("GET", "/_stub/config")["md5"] == good for replica in replicas)

    until(all_have_it, 10, awaited="the declared configuration in every replica")
    configuration.publish("bi-basic", "jwt: {secret: too-short}\n")

    def refused(replica) -> bool:
        return "secret" in str(replica.ask("GET", "/_stub/config")["last_error"])

    until(lambda: all(map(refused, replicas)), SOON, awaited="the refusal in every replica")
    assert all_have_it()
    assert gateway.get(TENANT, headers=gateway.bearer("bi-user")).status_code == 200


@pytest.mark.requires("admin")
def test_the_next_test_finds_the_declared_state_again(gateway, apisix):
    assert "new" not in {route["id"] for route in apisix.list("routes")}
    answer = gateway.get(TENANT, headers=gateway.bearer("bi-user"))
    assert answer.json()["name"] == "Acme Trading"
