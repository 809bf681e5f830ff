"""The whole state of one server behind its transports, and its snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from harness.clock import Clock
from harness.emulators.nacos import names
from harness.emulators.nacos.auth.accounts import Accounts, AccountState
from harness.emulators.nacos.auth.gate import Gate
from harness.emulators.nacos.auth.tokens import Tokens
from harness.emulators.nacos.config.listeners import Listeners
from harness.emulators.nacos.config.model import ConfigKey
from harness.emulators.nacos.config.store import ConfigState, ConfigStore
from harness.emulators.nacos.locks import LockKey, Locks
from harness.emulators.nacos.namespaces import Namespace, Namespaces
from harness.emulators.nacos.naming import snapshot as naming_snapshot
from harness.emulators.nacos.naming.beats import Beats
from harness.emulators.nacos.naming.model import ServiceKey
from harness.emulators.nacos.naming.probes import Probes
from harness.emulators.nacos.naming.registry import Registry
from harness.emulators.nacos.naming.switches import Switches
from harness.emulators.nacos.version import EVERYTHING, Version
from harness.emulators.nacos.watches import Named, Watches

DEFAULT_USER = ("nacos", "nacos")


@dataclass(frozen=True, slots=True)
class Identity:
    """How the server presents itself."""

    host: str
    port: int
    grpc_port: int
    console_port: int | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


class Snapshot(NamedTuple):
    """All state but what is bound to live connections."""

    naming: naming_snapshot.SavedNaming
    switches: dict[str, Any]
    config: ConfigState
    accounts: AccountState
    namespaces: dict[str, Namespace]
    locks: dict[LockKey, int]


class Domain:
    """Naming, configuration, accounts and namespaces of one server. All times come from `clock`."""

    def __init__(
        self,
        clock: Clock,
        *,
        auth: str | None = None,
        token_secret: str = "",
        identity: tuple[str, str] = ("", ""),
        version: Version = EVERYTHING,
    ) -> None:
        self.clock = clock
        self.version = version
        self.registry = Registry(clock)
        self.registry.all_ips = version.all_ips
        self.switches = Switches()
        self.beats = Beats(self.registry)
        self.probes = Probes(self.registry, self.switches, Random())
        self.config = ConfigStore(clock)
        self.listeners = Listeners()
        self.locks = Locks(clock)
        self.service_watches = Watches(clock, self._services, service_text)
        self.config_watches = Watches(clock, self._configs, config_text)
        self.accounts = Accounts()
        self.namespaces = Namespaces()
        self.gate = Gate(self.accounts, Tokens(clock, secret=token_secret), auth is not None, *identity, version)
        user, password = split_auth(auth)
        self.accounts.create_user(user, password, admin=True)

    def tick(self) -> None:
        """Let time act: missed heart-beats, probes, empty services, old history."""
        if self.switches.checks_health:
            self.beats.expire()
        self.probes.tick()
        self.registry.clean()
        self.config.clean()
        self.service_watches.clean()
        self.config_watches.clean()

    def _services(self, namespace: str) -> Iterable[Named]:
        return (named_service(service.key) for service in self.registry.in_namespace(namespace))

    def _configs(self, namespace: str) -> Iterable[Named]:
        state, tenant = self.config.state, names.tenant_of(namespace)
        keys = dict.fromkeys((*state.entries, *state.grays, *(key for key, held in state.tagged.items() if held)))
        return (named_config(key) for key in keys if key.tenant == tenant)

    def snapshot(self) -> Snapshot:
        """The state to come back to."""
        return Snapshot(
            naming_snapshot.save(self.registry),
            dict(self.switches.values),
            self.config.save(),
            self.accounts.state.copy(),
            dict(self.namespaces.all),
            dict(self.locks.held),
        )

    def restore(self, saved: Snapshot) -> None:
        """Come back to a snapshot; subscribers and listeners are told of what differs."""
        naming_snapshot.restore(self.beats, saved.naming)
        self.switches.values = dict(saved.switches)
        self.probes.restart()
        self.config.restore(saved.config)
        self.accounts.state = saved.accounts.copy()
        self.namespaces.all = dict(saved.namespaces)
        self.locks.held = dict(saved.locks)


def named_service(key: ServiceKey) -> Named:
    """A service as patterns match it."""
    return Named(*key)


def named_config(key: ConfigKey) -> Named:
    """A configuration as patterns match it."""
    return Named(key.tenant or names.PUBLIC, key.group, key.data_id)


def service_text(named: Named) -> str:
    """`namespace@@group@@service` (`NamingUtils.getServiceKey`)."""
    return names.SPLITTER.join(named)


def config_text(named: Named) -> str:
    """`dataId+group+namespace`, with `+` and `%` escaped (`GroupKey2`)."""
    parts = (named.name, named.group, named.namespace)
    return "+".join(part.replace("%", "%25").replace("+", "%2B") for part in parts)


def split_identity(identity: str | None) -> tuple[str, str]:
    """(header, value) of `header:value`, blanks for None; raises ValueError if it has no such form."""
    if identity is None:
        return ("", "")
    header, separator, value = identity.partition(":")
    if not (header and separator and value):
        raise ValueError("the server identity is given as header:value")
    return header, value


def split_auth(auth: str | None) -> tuple[str, str]:
    """(user, password) of `user:password`; raises ValueError if it has no such form."""
    if auth is None:
        return DEFAULT_USER
    user, separator, password = auth.partition(":")
    if not (user and separator and password):
        raise ValueError("auth is given as user:password")
    return user, password
