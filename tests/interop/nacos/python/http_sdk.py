"""nacos-sdk-python 0.1.x and 1.x (HTTP v1), driven by JSON lines."""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from typing import Any

# what the SDK prints must not mix with the answers
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import nacos  # noqa: E402

#: Seconds between heart-beats and between looks at a subscribed service.
INTERVAL = 1.0


def say(message: dict[str, Any]) -> None:
    ANSWERS.write(json.dumps(message) + "\n")


class Application:
    """The SDK's client of one application."""

    def open(self, server: str, namespace: str, username: str, password: str, folder: str) -> None:
        who = {"username": username, "password": password} if username else {}
        self.client = nacos.NacosClient(server, namespace=namespace, logDir=folder, **who)
        self.client.set_options(snapshot_base=f"{folder}/snapshot", failover_base=f"{folder}/failover")
        self.beats: dict[tuple[str, str, int], threading.Event] = {}

    def publish(self, data_id: str, group: str, content: str, type: str) -> bool:
        return self.client.publish_config(data_id, group, content, config_type=type)

    def get(self, data_id: str, group: str) -> str | None:
        return self.client.get_config(data_id, group, no_snapshot=True)

    def remove(self, data_id: str, group: str) -> bool:
        return self.client.remove_config(data_id, group)

    def listen(self, data_id: str, group: str) -> None:
        def told(change: dict[str, Any]) -> None:
            say({"event": "config", "data_id": data_id, "group": group, "content": change["content"]})

        self.client.add_config_watcher(data_id, group, told)

    def register(self, service: str, group: str, ip: str, port: int, ephemeral: bool, **more: Any) -> bool:
        beats = "heartbeat_interval" in inspect.signature(self.client.add_naming_instance).parameters
        own = {"heartbeat_interval": INTERVAL} if beats else {}
        # without a cluster's name the SDK sends the word None
        where = {"group_name": group, "cluster_name": "DEFAULT", "ephemeral": ephemeral}
        done = self.client.add_naming_instance(service, ip, port, **where, **more, **own)
        if ephemeral and not beats:
            self._beat(service, ip, port, **where, **more)
        return done

    def _beat(self, service: str, ip: str, port: int, **more: Any) -> None:
        """0.1.x leaves the heart-beats to the application."""
        over = self.beats[service, ip, port] = threading.Event()

        def beat() -> None:
            while not over.wait(INTERVAL):
                try:
                    self.client.send_heartbeat(service, ip, port, **more)
                except Exception as error:
                    print(f"heart-beat: {error!r}", file=sys.stderr)

        threading.Thread(target=beat, daemon=True).start()

    def deregister(self, service: str, group: str, ip: str, port: int, ephemeral: bool) -> bool:
        over = self.beats.pop((service, ip, port), None)
        if over:
            over.set()
        where = {"group_name": group, "cluster_name": "DEFAULT", "ephemeral": ephemeral}
        return self.client.remove_naming_instance(service, ip, port, **where)

    def instances(self, service: str, group: str) -> list[dict[str, Any]]:
        found = self.client.list_naming_instance(service, group_name=group)["hosts"]
        return [{key: host[key] for key in ("ip", "port", "weight", "healthy", "metadata")} for host in found]

    def subscribe(self, service: str, group: str) -> None:
        # the SDK does not tell the first instance it finds, and tells changes one by one
        ports = {host["port"] for host in self.instances(service, group)}

        def told(event: Any, change: Any) -> None:
            port = change.instance["port"]
            ports.discard(port) if event == "DELETED" else ports.add(port)
            say({"event": "hosts", "service": service, "group": group, "ports": sorted(ports)})

        listener = nacos.listener.SubscribeListener(fn=told, listener_name=service)
        self.client.subscribe(listener, listener_interval=INTERVAL, service_name=service, group_name=group)


def obey(application: Application, line: str) -> None:
    command = json.loads(line)
    number, act = command.pop("id"), getattr(application, command.pop("op"))
    try:
        say({"id": number, "value": act(**command)})
    except Exception as error:
        say({"id": number, "error": f"{type(error).__name__}: {error}"})


def main() -> None:
    application = Application()
    for line in sys.stdin:
        obey(application, line)


if __name__ == "__main__":  # a listener starts a process that imports this file
    main()
