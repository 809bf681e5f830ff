"""A service's typed configuration: replaced as a whole while running; a bad one is refused, the last good one stays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stubs.common.logs import Log, timestamp
from stubs.common.metrics import Metrics

YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ServiceConfig(BaseModel):
    """What every service's configuration has; unknown keys are errors.

    `log_level` overrides LOG_LEVEL from the environment when set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None


C = TypeVar("C", bound=ServiceConfig)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a configuration was not taken."""

    at: float
    md5: str
    source: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The refusal as GET /_stub/config shows it."""
        return {"time": timestamp(self.at), "md5": self.md5, "source": self.source, "reason": self.reason}


def parse(model: type[C], text: str) -> C:
    """Read YAML `text` as `model`; raises ValueError whose message names each wrong key, never its value."""
    try:
        data = yaml.load(text, Loader=YamlLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"not YAML{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError("not YAML") from error
    if not isinstance(data, dict):
        raise ValueError(f"a mapping is expected, not {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ValueError("; ".join(_complaints(error))) from error


def _complaints(error: ValidationError) -> list[str]:
    items = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(str(part) for part in item['loc']) or '(whole)'}: {item['msg']}" for item in items]


class ConfigStore(Generic[C]):
    """The configuration in force, where it came from, and the last refusal."""

    def __init__(self, model: type[C], log: Log, metrics: Metrics, log_level: str) -> None:
        self._model = model
        self._log = log
        self._metrics = metrics
        self._log_level = log_level
        self.current: C = model()
        self.source = "defaults"
        self.md5 = ""
        self.version = 0
        self.applied_at: float | None = None
        self.last_error: Refusal | None = None

    def apply(self, text: str, source: str, at: float) -> bool:
        """Put the YAML `text` in force when it is good; answers whether it is in force now."""
        md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        if md5 == self.md5 and self.version:
            self.last_error = None
            return True
        try:
            config = parse(self._model, text)
        except ValueError as error:
            return self._refuse(Refusal(at, md5, source, str(error)))
        self.current, self.source, self.md5, self.applied_at = config, source, md5, at
        self.version += 1
        self.last_error = None
        self._log.set_level(config.log_level or self._log_level)
        self._metrics.config_change("applied")
        self._log.info("configuration applied", source=source, md5=md5, version=self.version)
        return True

    def _refuse(self, refusal: Refusal) -> bool:
        if self.last_error and self.last_error.md5 == refusal.md5:
            return False
        self.last_error = refusal
        self._metrics.config_change("refused")
        self._log.error(
            "configuration refused, the last good one stays",
            source=refusal.source,
            md5=refusal.md5,
            reason=refusal.reason,
            kept_md5=self.md5,
        )
        return False

    def removed(self, source: str) -> None:
        """The configuration is gone at its source: the last good one stays."""
        self._metrics.config_change("removed")
        self._log.warning("configuration not found, what is in force stays", source=source, kept=self.source)

    def as_json(self) -> dict[str, Any]:
        """What is in force, secrets masked."""
        return {
            "source": self.source,
            "md5": self.md5,
            "version": self.version,
            "applied_at": None if self.applied_at is None else timestamp(self.applied_at),
            "last_error": None if self.last_error is None else self.last_error.as_json(),
            "config": self.current.model_dump(mode="json"),
        }
