"""The gateway's declared state in etcd, and the way back to it when a test has changed it."""

from __future__ import annotations

from harness.clients import EtcdClient


class Declared:
    """Remembers what stands under a prefix and restores just what has changed since."""

    def __init__(self, etcd: EtcdClient, prefix: str) -> None:
        self._etcd = etcd
        self._prefix = prefix
        self._records: dict[str, tuple[bytes, int]] = {}

    def remember(self) -> None:
        """Take what is there now as the declared state."""
        self._records = {key: (found.value, found.revision) for key, found in self._etcd.prefix(self._prefix).items()}

    def restore(self) -> int:
        """Undo every change at once; the revision that did it, 0 when there was nothing to undo."""
        now = {key: found.revision for key, found in self._etcd.prefix(self._prefix).items()}
        added = now.keys() - self._records.keys()
        changed = {key: value for key, (value, revision) in self._records.items() if now.get(key) != revision}
        if not added and not changed:
            return 0
        revision = self._etcd.change(changed.items(), added)
        self._records.update({key: (value, revision) for key, value in changed.items()})
        return revision
