"""Telling those who watch patterns: each name that comes or goes, and on a new watch what the client does not have.

Upstream: NamingFuzzyWatchSyncNotifier, ConfigFuzzyWatchSyncNotifier and the tasks beside them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.emulators.nacos.config.model import ConfigKey
from harness.emulators.nacos.domain import Domain, named_config, named_service
from harness.emulators.nacos.grpc.connections import Connection, Connections, Push
from harness.emulators.nacos.grpc.pushing import CONFIG_TRIES
from harness.emulators.nacos.naming.model import ServiceKey
from harness.emulators.nacos.watches import Difference, Watches

#: Seconds that notices about services are gathered: of two about one service the later one is sent.
MERGE_SECONDS = 0.005
#: Seconds until an unanswered push is sent again.
ACK_SECONDS = 3.0

INIT, FINISH, DIFF = "FUZZY_WATCH_INIT_NOTIFY", "FINISH_FUZZY_WATCH_INIT_NOTIFY", "FUZZY_WATCH_DIFF_SYNC_NOTIFY"
CHANGED = "FUZZY_WATCH_RESOURCE_CHANGED"


@dataclass(frozen=True, slots=True)
class Wire:
    """How one kind of watch speaks."""

    module: str
    sync: str
    change: str
    key: str
    added: str
    deleted: str
    batch: int


NAMING = Wire(
    "naming",
    "NamingFuzzyWatchSyncRequest",
    "NamingFuzzyWatchChangeNotifyRequest",
    "serviceKey",
    "ADD_SERVICE",
    "DELETE_SERVICE",
    10,
)
CONFIG = Wire(
    "config",
    "ConfigFuzzyWatchSyncRequest",
    "ConfigFuzzyWatchChangeNotifyRequest",
    "groupKey",
    "ADD_CONFIG",
    "DELETE_CONFIG",
    20,
)
KINDS = (NAMING.sync, NAMING.change, CONFIG.sync, CONFIG.change)


@dataclass(slots=True)
class _Batches:
    """The batches of one new watch that are not acknowledged; then comes the end."""

    wire: Wire
    pattern: str
    left: int


class FuzzyPusher:
    """Pushes to the connections that watch patterns."""

    def __init__(self, domain: Domain, connections: Connections) -> None:
        self._domain = domain
        self._connections = connections
        self._served = {key for key, service in domain.registry.services.items() if service.publications}
        self._notices: dict[tuple[str, str], bool] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unanswered: dict[str, tuple[bytes, _Batches | None]] = {}
        domain.service_watches.asked = self._services_asked
        domain.config_watches.asked = self._configs_asked

    # -- changes -----------------------------------------------------------------------------------------------------

    def service_changed(self, key: ServiceKey) -> None:
        """A service counts as come with its first publisher and as gone with its last."""
        service = self._domain.registry.services.get(key)
        exists = service is not None and bool(service.publications)
        if exists == (key in self._served):
            return
        (self._served.add if exists else self._served.discard)(key)
        if self._domain.service_watches.is_idle:
            return
        text, clients = self._domain.service_watches.changed(named_service(key), exists)
        for client in clients:
            self._notices[client, text] = exists
        if clients and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MERGE_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        notices, self._notices = self._notices, {}
        for (client, text), exists in notices.items():
            changed_type = NAMING.added if exists else NAMING.deleted
            fields = {"syncType": CHANGED, "serviceKey": text, "changedType": changed_type}
            self._push(client, NAMING, NAMING.change, fields, text)

    def config_changed(self, key: ConfigKey) -> None:
        """The server can't tell a new configuration from a changed one: both are `CONFIG_CHANGED`."""
        if self._domain.config_watches.is_idle:
            return
        exists = self._domain.config.exists(key)
        text, clients = self._domain.config_watches.changed(named_config(key), exists)
        change = "CONFIG_CHANGED" if exists else CONFIG.deleted
        for client in clients:
            self._push(client, CONFIG, CONFIG.change, {"groupKey": text, "changeType": change}, text)

    # -- new watches -------------------------------------------------------------------------------------------------

    def _services_asked(self, client: str, pattern: str, received: list[str], starting: bool) -> None:
        watches = self._domain.service_watches
        differences = _without_losses(watches, pattern, watches.differences(pattern, received))
        if not differences and starting:
            self._finish(client, NAMING, pattern)
        self._sync(client, NAMING, pattern, differences, starting)

    def _configs_asked(self, client: str, pattern: str, received: list[str], starting: bool) -> None:
        """Unlike naming's, this one sends no end where the only differences are losses not to be told."""
        watches = self._domain.config_watches
        differences = watches.differences(pattern, received)
        if not differences and starting:
            self._finish(client, CONFIG, pattern)
        self._sync(client, CONFIG, pattern, _without_losses(watches, pattern, differences), starting)

    def _sync(self, client: str, wire: Wire, pattern: str, differences: Sequence[Difference], starting: bool) -> None:
        batches = [differences[at : at + wire.batch] for at in range(0, len(differences), wire.batch)]
        waiting = _Batches(wire, pattern, len(batches)) if starting else None
        for number, batch in enumerate(batches, 1):
            contexts = [{wire.key: one.key, "changedType": wire.added if one.exists else wire.deleted} for one in batch]
            fields = {
                "syncType": INIT if starting else DIFF,
                "groupKeyPattern": pattern,
                "contexts": contexts,
                "totalBatch": len(batches),
                "currentBatch": number,
            }
            self._push(client, wire, wire.sync, fields, pattern, waiting)

    def _finish(self, client: str, wire: Wire, pattern: str) -> None:
        """All that the pattern matches was told."""
        fields: dict[str, Any] = {"syncType": FINISH, "groupKeyPattern": pattern, "totalBatch": 0, "currentBatch": 0}
        if wire is NAMING:
            fields |= {"contexts": [], "totalBatch": 1, "currentBatch": 1}
        self._push(client, wire, wire.sync, fields, pattern)

    # -- pushing -----------------------------------------------------------------------------------------------------

    def _push(
        self,
        client: str,
        wire: Wire,
        kind: str,
        fields: dict[str, Any],
        subject: str,
        batches: _Batches | None = None,
    ) -> None:
        connection = self._connections.by_id.get(client)
        if connection is not None:
            encoded = ("," + json.dumps(fields, separators=(",", ":"))[1:]).encode()
            push = self._connections.push(connection, kind, wire.module, encoded, subject)
            self._unanswered[push.request_id] = (encoded, batches)

    def acknowledged(self, connection: Connection, push: Push) -> None:
        """With the last batch of a new watch answered, its end is told."""
        _, batches = self._unanswered.pop(push.request_id, (b"", None))
        if batches is not None:
            batches.left -= 1
            if batches.left == 0:
                self._finish(connection.id, batches.wire, batches.pattern)

    def disconnected(self, connection: Connection) -> None:
        """Nobody answers any more."""
        for number in connection.pending:
            self._unanswered.pop(number, None)

    def tick(self) -> None:
        """Send again what nobody acknowledged."""
        for connection, push in self._connections.overdue(ACK_SECONDS, KINDS):
            fields, batches = self._unanswered.pop(push.request_id)
            module = NAMING.module if push.type in (NAMING.sync, NAMING.change) else CONFIG.module
            if module == CONFIG.module and push.tries >= CONFIG_TRIES:
                connection.link.abort()
                continue
            again = self._connections.push(connection, push.type, module, fields, push.subject)
            again.tries = push.tries + 1
            self._unanswered[again.request_id] = (fields, batches)


def _without_losses(watches: Watches, pattern: str, differences: list[Difference]) -> list[Difference]:
    """What the client has may be there all the same where not all matches are kept."""
    return [one for one in differences if one.exists] if watches.is_full(pattern) else differences
