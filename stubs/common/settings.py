"""What a replica is told by its environment, checked once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DEPLOY_ENVS = ("dev", "test", "prod")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """One replica's start-up settings; an empty `nacos_addr` means: run without Nacos.

    Ports of 0 mean a free one; `nacos_grpc_port` of 0 means the HTTP port + 1000, as with a real server.
    `drain_seconds` is the pause between leaving Nacos and closing the ports; `grace_seconds` bounds the time that
    requests in flight get to finish.
    """

    service: str
    deploy_env: str
    nacos_addr: str
    nacos_grpc_port: int
    nacos_namespace: str
    nacos_group: str
    nacos_username: str
    nacos_password: str
    bind_host: str
    http_port: int
    grpc_port: int
    advertise_ip: str
    replica_id: str
    zone: str
    version: str
    log_level: str
    config_file: str
    state_dir: str
    journal_size: int
    drain_seconds: float
    grace_seconds: float

    @property
    def data_id(self) -> str:
        """The data ID of the service's configuration."""
        return f"{self.service}.yaml"


def from_env(service: str, env: Mapping[str, str]) -> Settings:
    """Read the settings of `service` from `env`; raises ValueError naming every wrong variable."""
    reader = _Reader(env)
    settings = Settings(
        service=service,
        deploy_env=reader.choice("DEPLOY_ENV", "dev", DEPLOY_ENVS),
        nacos_addr=reader.address("NACOS_ADDR"),
        nacos_grpc_port=reader.port("NACOS_GRPC_PORT"),
        nacos_namespace=env.get("NACOS_NAMESPACE") or "public",
        nacos_group=env.get("NACOS_GROUP") or "DEFAULT_GROUP",
        nacos_username=env.get("NACOS_USERNAME", ""),
        nacos_password=env.get("NACOS_PASSWORD", ""),
        bind_host=env.get("BIND_HOST") or "127.0.0.1",
        http_port=reader.port("HTTP_PORT"),
        grpc_port=reader.port("GRPC_PORT"),
        advertise_ip=env.get("ADVERTISE_IP", ""),
        replica_id=env.get("REPLICA_ID") or f"{service}-0",
        zone=env.get("ZONE") or "local",
        version=env.get("VERSION") or "0.0.0-stub",
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS, upper=True),
        config_file=env.get("CONFIG_FILE", ""),
        state_dir=env.get("STATE_DIR", ""),
        journal_size=int(reader.number("JOURNAL_SIZE", 1000, 1, 1_000_000)),
        drain_seconds=reader.number("DRAIN_SECONDS", 0, 0, 600),
        grace_seconds=reader.number("GRACE_SECONDS", 5, 0, 600),
    )
    reader.check()
    return settings


class _Reader:
    """Reads variables and gathers what is wrong with them, so that one error names them all."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._wrong: list[str] = []

    def choice(self, name: str, default: str, allowed: tuple[str, ...], *, upper: bool = False) -> str:
        value = self._env.get(name) or default
        value = value.upper() if upper else value
        if value not in allowed:
            self._wrong.append(f"{name}={value!r} is none of {', '.join(allowed)}")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        text = self._env.get(name) or str(default)
        try:
            value = float(text)
        except ValueError:
            self._wrong.append(f"{name}={text!r} is not a number")
            return default
        if not least <= value <= most:
            self._wrong.append(f"{name}={text} is not between {least:g} and {most:g}")
        return value

    def port(self, name: str) -> int:
        return int(self.number(name, 0, 0, 65535))

    def address(self, name: str) -> str:
        value = self._env.get(name, "").strip()
        for part in value.split(",") if value else ():
            host, _, port = part.rpartition(":")
            if not host or "/" in host or not port.isdigit():
                self._wrong.append(f"{name}={value!r} is not host:port (or several, comma separated)")
                break
        return value

    def check(self) -> None:
        if self._wrong:
            raise ValueError("wrong environment: " + "; ".join(self._wrong))
