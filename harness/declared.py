"""The declared state in etcd and in a real Nacos, and the way back to it when a test has changed it."""

from __future__ import annotations

from collections.abc import Iterable

from harness.clients import EtcdClient, NacosClient


class Declared:
    """Remembers what stands under a prefix and restores just what has changed since."""

    def __init__(self, etcd: EtcdClient, prefix: str, rewrite: tuple[str, ...] = ()) -> None:
        self._etcd = etcd
        self._prefix = prefix
        self._rewrite = rewrite
        self._records: dict[str, tuple[bytes, int]] = {}

    def remember(self) -> None:
        """Take what is there now as the declared state."""
        self._records = {key: (found.value, found.revision) for key, found in self._etcd.prefix(self._prefix).items()}

    def restore(self) -> int:
        """Undo every change at once; the revision that did it, 0 when there was nothing to undo.

        What begins with one of `rewrite` is written again in any case, which gives it a new version.
        """
        now = {key: found.revision for key, found in self._etcd.prefix(self._prefix).items()}
        added = now.keys() - self._records.keys()
        changed = {
            key: value
            for key, (value, revision) in self._records.items()
            if now.get(key) != revision or (self._rewrite and key.startswith(self._rewrite))
        }
        if not added and not changed:
            return 0
        revision = self._etcd.change(changed.items(), added)
        self._records.update({key: (value, revision) for key, value in changed.items()})
        return revision


class DeclaredConfigurations:
    """Remembers the configurations in some namespaces of a Nacos, and publishes or removes what differs since."""

    def __init__(self, nacos: NacosClient, namespaces: Iterable[str]) -> None:
        self._nacos = nacos
        self._namespaces = tuple(namespaces)
        self._records: dict[tuple[str, str, str], tuple[str, str]] = {}

    def remember(self) -> None:
        """Take what is there now as the declared state."""
        self._records = self._now()

    def restore(self) -> None:
        """Undo every change."""
        now = self._now()
        for namespace, group, data_id in now.keys() - self._records.keys():
            self._nacos.remove_config(data_id, group=group, namespace=namespace)
        for (namespace, group, data_id), record in self._records.items():
            if now.get((namespace, group, data_id)) != record:
                content, type_ = record
                self._nacos.publish(data_id, content, group=group, namespace=namespace, type=type_)

    def _now(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        return {
            (namespace, group, data_id): found
            for namespace in self._namespaces
            for (group, data_id), found in self._nacos.configs(namespace=namespace).items()
        }
