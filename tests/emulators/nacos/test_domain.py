"""Any sequence of what clients, operators, tests and time do: what clients were pushed is what the domain holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from harness.clock import ManualClock
from harness.emulators.nacos.config.model import ConfigKey, Draft, digest
from harness.emulators.nacos.domain import Domain, Snapshot
from harness.emulators.nacos.faults import Faults
from harness.emulators.nacos.grpc import wire
from harness.emulators.nacos.grpc.connections import Connection, Connections
from harness.emulators.nacos.grpc.fuzzy_pushing import FuzzyPusher
from harness.emulators.nacos.grpc.hub import GrpcHub
from harness.emulators.nacos.grpc.pushing import Pusher
from harness.emulators.nacos.naming.model import Instance, Overlay, ServiceKey
from harness.emulators.nacos.naming.registry import Subscriber

EPHEMERAL = [ServiceKey("public", "G", name) for name in ("a", "b")]
PERSISTENT = ServiceKey("public", "G", "p")
SERVICES = [*EPHEMERAL, PERSISTENT]
CONFIGS = [ConfigKey("", "G", name) for name in ("x", "y")]
CLIENTS = ["1_c_1", "1_c_2"]
PATTERN = "public>>G>>*"


class FakeStream:
    """Keeps what is pushed, as a client would read it."""

    def __init__(self) -> None:
        self.done = False
        self.backlog = 0
        self.pushed: list[tuple[str, dict[str, Any]]] = []

    def send_parts(self, head: bytes, body: bytes) -> None:
        payload = wire.decode((head + body)[5:])
        self.pushed.append((payload.type, json.loads(payload.body)))


class FakeLink(NamedTuple):
    peer: tuple[str, int]


class Model(NamedTuple):
    """What a snapshot keeps, in plain data."""

    beaten: dict[tuple[ServiceKey, int], float]
    persistent: dict[int, bool]
    sick: dict[tuple[ServiceKey, int], float]
    contents: dict[ConfigKey, str]

    def copy(self) -> Model:
        return Model(*(dict(part) for part in self))


class Everything(RuleBasedStateMachine):
    """Domain and pushers on one side, plain dicts and what each client knows on the other."""

    snapshots = Bundle("snapshots")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.domain = Domain(self.clock)
        self.connections = Connections()
        hub = GrpcHub(self.domain, self.connections, Faults())
        self.pusher = Pusher(self.domain, self.connections, hub)
        self.fuzzy = FuzzyPusher(self.domain, self.connections)
        self.domain.registry.changed = lambda key: (self.pusher.service_changed(key), self.fuzzy.service_changed(key))  # type: ignore[func-returns-value, assignment, return-value]
        self.domain.registry.subscribed = self.pusher.subscribed
        self.domain.config.changed = lambda key: (self.pusher.config_changed(key), self.fuzzy.config_changed(key))  # type: ignore[func-returns-value, assignment, return-value]
        self.hub = hub
        self.streams = {name: self.connect(name) for name in CLIENTS}
        self.model = Model({}, {}, {}, {})
        self.published: dict[tuple[ServiceKey, str], tuple[int, ...]] = {}
        self.subscribed: set[tuple[str, ServiceKey]] = set()
        self.listening: dict[tuple[str, ConfigKey], str] = {}
        self.watching: set[str] = set()
        self.shown: dict[tuple[str, ServiceKey], list[tuple[int, float, bool]]] = {}
        self.known: dict[str, set[str]] = {}
        self.stamps: dict[str, int] = {}
        self.sick: set[tuple[ServiceKey, int]] = set()

    def teardown(self) -> None:
        self.loop.close()

    def connect(self, name: str) -> FakeStream:
        stream = FakeStream()
        connection = Connection(name, FakeLink(("127.0.0.1", 1)), 0.0, streams=[stream])  # type: ignore[arg-type, list-item]
        self.connections.register(connection)
        return stream

    def act(self, run: Callable[[], Any]) -> Any:
        """Run inside the loop, let all pushes go out, and have the clients read them."""

        async def inside() -> Any:
            found = run()
            await asyncio.sleep(0)
            for pusher, flush in ((self.pusher, self.pusher._flush_services), (self.fuzzy, self.fuzzy._flush)):
                if pusher._timer is not None:
                    pusher._timer.cancel()
                    flush()
            return found

        found = self.loop.run_until_complete(inside())
        for name, stream in self.streams.items():
            for kind, body in stream.pushed:
                self.read(name, kind, body)
            stream.pushed.clear()
        return found

    def read(self, name: str, kind: str, body: dict[str, Any]) -> None:
        if kind == "NotifySubscriberRequest":
            info = body["serviceInfo"]
            key = ServiceKey("public", info["groupName"], info["name"])
            assert (name, key) in self.subscribed, "a push to one who did not subscribe"
            assert info["lastRefTime"] > self.stamps.get(name, 0), "SDKs would take it for an old one"
            self.stamps[name] = info["lastRefTime"]
            self.shown[name, key] = sorted((one["port"], one["weight"], one["healthy"]) for one in info["hosts"])
        elif kind == "ConfigChangeNotifyRequest":
            key = ConfigKey("", body["group"], body["dataId"])
            assert (name, key) in self.listening, "a notice to one who does not listen"
            self.listening[name, key] = self.domain.config.md5(key)
        elif kind == "NamingFuzzyWatchChangeNotifyRequest":
            assert name in self.watching, "a notice to one who does not watch"
            note = self.known[name].add if body["changedType"] == "ADD_SERVICE" else self.known[name].discard
            note(body["serviceKey"])
        elif kind == "NamingFuzzyWatchSyncRequest":
            self.known[name] |= {one["serviceKey"] for one in body.get("contexts", [])}

    # -- what clients do ---------------------------------------------------------------------------------------------

    keys, names, ports = st.sampled_from(EPHEMERAL), st.sampled_from(CLIENTS), st.integers(1, 3)

    @rule(key=keys, name=names, ports=st.lists(ports, max_size=3, unique=True))
    def register(self, key: ServiceKey, name: str, ports: list[int]) -> None:
        hosts = [Instance(name, port) for port in ports]
        self.act(lambda: self.domain.registry.register(key, name, hosts))
        self.published[key, name] = tuple(ports)

    @rule(key=keys, name=names)
    def deregister(self, key: ServiceKey, name: str) -> None:
        known = self.act(lambda: self.domain.registry.deregister(key, name))
        assert known == (self.published.pop((key, name), None) is not None)

    @rule(key=keys, port=ports)
    def beat(self, key: ServiceKey, port: int) -> None:
        assert self.act(lambda: self.domain.beats.beat(key, "http", port, Instance("http", port)))
        self.model.beaten[key, port] = self.clock.monotonic()
        self.sick.discard((key, port))

    @rule(key=keys, port=ports)
    def stop_beating(self, key: ServiceKey, port: int) -> None:
        self.act(lambda: self.domain.beats.deregister(key, "http", port, True))
        self.model.beaten.pop((key, port), None)
        self.sick.discard((key, port))

    @rule(port=ports, healthy=st.booleans())
    def register_persistent(self, port: int, healthy: bool) -> None:
        one = Instance("http", port, healthy=healthy, ephemeral=False)
        self.act(lambda: self.domain.beats.register(PERSISTENT, one))
        self.model.persistent[port] = healthy

    @rule(port=ports)
    def deregister_persistent(self, port: int) -> None:
        self.act(lambda: self.domain.beats.deregister(PERSISTENT, "http", port, False))
        self.model.persistent.pop(port, None)

    @rule(name=names, key=st.sampled_from(SERVICES))
    def subscribe(self, name: str, key: ServiceKey) -> None:
        self.subscribed.add((name, key))
        self.act(lambda: self.domain.registry.subscribe(key, Subscriber(name)))
        self.shown.setdefault((name, key), [])

    @rule(name=names, key=st.sampled_from(SERVICES))
    def unsubscribe(self, name: str, key: ServiceKey) -> None:
        self.act(lambda: self.domain.registry.unsubscribe(key, name))
        self.subscribed.discard((name, key))
        self.shown.pop((name, key), None)

    @rule(name=names)
    def watch(self, name: str) -> None:
        self.watching.add(name)
        known = self.known.setdefault(name, set())

        def ask() -> None:
            self.domain.service_watches.watch(PATTERN, name)
            self.domain.service_watches.asked(name, PATTERN, sorted(known), True)

        self.act(ask)

    @rule(name=names)
    def lose_the_connection(self, name: str) -> None:
        connection = self.connections.by_id.pop(name)
        self.act(lambda: self.hub._drop_state(connection))
        self.published = {pair: held for pair, held in self.published.items() if pair[1] != name}
        self.subscribed = {pair for pair in self.subscribed if pair[0] != name}
        self.listening = {pair: md5 for pair, md5 in self.listening.items() if pair[0] != name}
        self.shown = {pair: hosts for pair, hosts in self.shown.items() if pair[0] != name}
        self.watching.discard(name)
        self.known.pop(name, None)
        self.streams[name] = self.connect(name)

    @rule(name=names, key=st.sampled_from(CONFIGS))
    def listen(self, name: str, key: ConfigKey) -> None:
        self.listening[name, key] = md5 = self.domain.config.md5(key)
        self.domain.listeners.listen(name, key, "", md5)

    @rule(key=st.sampled_from(CONFIGS), content=st.sampled_from(["1", "2"]))
    def publish(self, key: ConfigKey, content: str) -> None:
        self.act(lambda: self.domain.config.publish(key, Draft(content)))
        self.model.contents[key] = content

    @rule(key=st.sampled_from(CONFIGS))
    def remove(self, key: ConfigKey) -> None:
        known = self.act(lambda: self.domain.config.remove(key))
        assert known == (self.model.contents.pop(key, None) is not None)

    # -- what operators, tests and time do ---------------------------------------------------------------------------

    @rule(key=st.sampled_from(SERVICES), port=ports, weight=st.sampled_from([2.0, 3.0]))
    def change_weight(self, key: ServiceKey, port: int, weight: float) -> None:
        shown = any(one.place == ("http", port, "DEFAULT") for one in self.domain.registry.view(key).hosts)
        if shown:
            self.act(lambda: self.domain.registry.overlay(key, ("http", port, "DEFAULT"), Overlay(weight=weight)))

    @rule(seconds=st.sampled_from([1, 14, 16, 31]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.act(self.domain.tick)
        now = self.clock.monotonic()
        for pair, last in list(self.model.beaten.items()):
            if now - last >= 30:
                del self.model.beaten[pair]
            elif now - last >= 15:
                self.sick.add(pair)

    @rule(target=snapshots)
    def take(self) -> tuple[Snapshot, Model]:
        sick = {pair: 0.0 for pair in self.sick if pair in self.model.beaten}
        return self.domain.snapshot(), self.model.copy()._replace(sick=sick)

    @rule(taken=snapshots)
    def restore(self, taken: tuple[Snapshot, Model]) -> None:
        snapshot, model = taken
        self.act(lambda: self.domain.restore(snapshot))
        self.model = model.copy()
        for pair in self.model.beaten:
            self.model.beaten[pair] = self.clock.monotonic()
        self.sick = set(self.model.sick)

    # -- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def the_registry_holds_what_was_done(self) -> None:
        for key in EPHEMERAL:
            expected = {("http", port) for at, port in self.model.beaten if at == key}
            expected |= {(name, port) for (at, name), ports in self.published.items() if at == key for port in ports}
            assert {(one.ip, one.port) for one in self.domain.registry.view(key).hosts} == expected
        for key, port in self.model.beaten:
            [one] = [one for one in self.domain.registry.view(key).hosts if (one.ip, one.port) == ("http", port)]
            assert one.healthy == ((key, port) not in self.sick)
        hosts = self.domain.registry.view(PERSISTENT).hosts
        assert {one.port: one.healthy for one in hosts} == self.model.persistent

    @invariant()
    def subscribers_know_what_the_registry_holds(self) -> None:
        for name, key in self.subscribed:
            hosts = self.domain.registry.view(key).hosts
            assert self.shown[name, key] == sorted((one.port, one.weight, one.healthy) for one in hosts)

    @invariant()
    def listeners_know_what_is_published(self) -> None:
        held = {key: entry.content for key, entry in self.domain.config.state.entries.items()}
        assert held == self.model.contents
        for (_, key), md5 in self.listening.items():
            assert md5 == (digest(held[key]) if key in held else "")

    @invariant()
    def watchers_know_each_service_with_publishers(self) -> None:
        served = {"@@".join(key) for key, one in self.domain.registry.services.items() if one.publications}
        empty = {"@@".join(key) for key, one in self.domain.registry.services.items() if not one.publications}
        for name in self.watching:
            assert served <= self.known[name]
            assert self.known[name] - served <= empty | {"@@".join(key) for key in SERVICES}

    @invariant()
    def counts_agree(self) -> None:
        registry = self.domain.registry
        by_service = {(key, client) for key, one in registry.services.items() for client in one.publications}
        assert by_service == {(key, client) for client, held in registry.published_by.items() for key in held}
        subscribed = {(client, key) for key, held in registry.subscribers.items() for client in held}
        assert subscribed == self.subscribed
        assert subscribed == {(client, key) for client, held in registry.subscribed_by.items() for key in held}


TestEverything = Everything.TestCase
TestEverything.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
