"""kafka-logger: messages, keys and partitions on a real broker, and what is said when there is none.

The broker is Kafka's own, from KAFKA_HOME (a distribution) or KAFKA_CLASSPATH (its jars), where either is set.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import wait
from harness.emulators.apisix.plugins.kafka_logger import KafkaLogger
from harness.ports import free_port

PARTITIONS = 3
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"


def properties(port: int, controller: int, directory: Path) -> str:
    """One node that is broker and controller, with a listener that wants a password on the port above."""
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required user_jack='secret';"
    return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{port + 1},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={login}
log.dirs={directory / "log"}
num.partitions={PARTITIONS}
offsets.topic.replication.factor=1
auto.create.topics.enable=true
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    home = os.environ.get("KAFKA_HOME")
    classpath = os.environ.get("KAFKA_CLASSPATH") or (f"{home}/libs/*" if home else "")
    if not classpath or shutil.which("java") is None:
        pytest.skip("not applicable: no Kafka (KAFKA_HOME or KAFKA_CLASSPATH) or no java on this machine")
    directory = tmp_path_factory.mktemp("kafka")
    port = free_port(1)
    path = directory / "server.properties"
    path.write_text(properties(port, free_port(), directory))
    java = ["java", "-Xmx256m", "-cp", classpath]
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(path)], check=True, capture_output=True
    )
    process = subprocess.Popen([*java, "kafka.Kafka", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_ready(port))
        yield port
    finally:
        process.terminate()
        process.wait(30)


async def _ready(port: int) -> None:
    from aiokafka import AIOKafkaClient
    from aiokafka.errors import KafkaError

    def check() -> bool:
        async def connect() -> bool:
            client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{port}")
            try:
                await client.bootstrap()
            except KafkaError as error:
                raise LookupError(str(error)) from error
            finally:
                await client.close()
            return True

        return asyncio.run(connect())

    await asyncio.to_thread(wait.until, check, 60, awaited="a Kafka broker")


def conf(port: int, topic: str, **more: Any) -> dict[str, Any]:
    given = {"brokers": [{"host": "127.0.0.1", "port": port}], "kafka_topic": topic, "log_format": {"u": "$uri"}}
    return {**given, "batch_max_size": 1, "timeout": 10, **more}


async def read(port: int, topic: str, count: int) -> list[Any]:
    """The first messages of a topic, all partitions together."""
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(topic, bootstrap_servers=f"127.0.0.1:{port}", auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


def logged(plugin: Any, port: int, topic: str, contexts: list[Any], count: int) -> list[Any]:
    """What the topic holds after the plugin logged the requests."""

    async def play() -> list[Any]:
        for ctx in contexts:
            plugin.log(ctx)
        found = await read(port, topic, count)
        if plugin._producer is not None and plugin._producer._producer is not None:
            await plugin._producer._producer.stop()
        return found

    return asyncio.run(play())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_entry_with_its_key_and_partition(kind, broker, build, request_of):
    plugin = build(KafkaLogger, conf(broker, f"keyed-{kind}", key="k1", producer_type=kind))
    (message,) = logged(plugin, broker, f"keyed-{kind}", [request_of("/a")], 1)
    assert (message.key, json.loads(message.value)) == (b"k1", {"u": "/a"})
    assert message.partition == zlib.crc32(b"k1") % PARTITIONS


def test_messages_without_a_key_take_turns(broker, build, request_of):
    plugin = build(KafkaLogger, conf(broker, "turns", producer_type="sync", required_acks=-1))
    messages = logged(plugin, broker, "turns", [request_of(f"/{name}") for name in "abc"], 3)
    assert {message.partition for message in messages} == {0, 1, 2}


def test_a_batch_is_one_message(broker, build, request_of):
    plugin = build(KafkaLogger, conf(broker, "batch", batch_max_size=2, producer_batch_num=1))
    (message,) = logged(plugin, broker, "batch", [request_of("/a"), request_of("/b")], 1)
    assert json.loads(message.value) == [{"u": "/a"}, {"u": "/b"}]


def test_the_request_as_it_came(broker, build, request_of):
    plugin = build(
        KafkaLogger, conf(broker, "origin", meta_format="origin", include_req_body=True, producer_type="sync")
    )
    ctx = request_of("/a?b=1", method="POST", headers={"X-A": "x"}, body=b"body")
    ctx.body = b"body"
    (message,) = logged(plugin, broker, "origin", [ctx], 1)
    assert message.value == b"POST /a?b=1 HTTP/1.1\r\nhost: golden.test\r\nx-a: x\r\n\r\nbody"


def test_a_password(broker, build, request_of, scope):
    login = {"host": "127.0.0.1", "port": broker + 1, "sasl_config": {"user": "jack", "password": "secret"}}
    plugin = build(KafkaLogger, conf(broker, "sasl", brokers=[login], producer_type="sync"))
    assert len(logged(plugin, broker, "sasl", [request_of("/a")], 1)) == 1


def test_nobody_there(build, request_of, scope):
    port = free_port()
    plugin = build(
        KafkaLogger, {"broker_list": {"127.0.0.1": port}, "kafka_topic": "t", "batch_max_size": 1, "timeout": 1}
    )

    async def play() -> None:
        plugin.log(request_of("/a"))
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(play())
    (said, _) = [message for level, message in scope.logs if level == "error"]
    assert said.startswith(
        "Batch Processor[kafka logger] failed to process entries: failed to send data to Kafka topic"
    )
    assert said.endswith(f'brokers: {{"127.0.0.1":{port}}}')


def test_asynchronous_senders_of_a_cluster_name_share_a_producer(build):
    first = build(KafkaLogger, conf(1, "a"))
    second = build(KafkaLogger, conf(2, "b"))
    third = build(KafkaLogger, conf(3, "c", cluster_name=2))
    alone = build(KafkaLogger, conf(4, "d", producer_type="sync"))
    producers = [plugin._known_producer() for plugin in (first, second, third, alone)]
    assert producers[0] is producers[1]
    assert len(set(producers)) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kafka_topic": "t"}, "value should match only one schema, but matches none"),
        (
            {"kafka_topic": "t", "broker_list": {"h": 1}, "brokers": [{"host": "h", "port": 1}]},
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        ({"kafka_topic": "t", "broker_list": {"h": 0}}, 'property "broker_list" validation failed: '),
        (
            {"kafka_topic": "t", "broker_list": {"h": 1}, "required_acks": 0},
            'property "required_acks" validation failed: ',
        ),
    ],
)
def test_refused_configurations(given, message, refusal):
    assert refusal(KafkaLogger, given).startswith(message)
