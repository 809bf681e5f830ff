"""Distributed locks over gRPC (3.x clients); nobody needs a permission for them."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.grpc.calls import Call, Failed, Handler
from harness.emulators.nacos.locks import LockRefused

ACQUIRE, RELEASE, EXPIRE = "ACQUIRE", "RELEASE", "EXPIRE"


def operate(call: Call) -> dict[str, Any]:
    """Take or free a lock; `result` says whether that worked."""
    act = call.body.text("lockOperationEnum")
    if act not in (ACQUIRE, RELEASE, EXPIRE, ""):
        raise NacosError(502, f'Cannot deserialize value of type `LockOperationEnum` from String "{act}"', 502)
    if act not in (ACQUIRE, RELEASE):
        raise Failed(0, "There is no Handler of such operations!", {"result": False})
    if not call.body.has("lockInstance"):
        raise NacosError(500, "the request has no lockInstance", 500)
    try:
        return {"result": _operate(call, act)}
    except LockRefused as refused:
        raise Failed(0, str(refused), {"result": False}) from None


def _operate(call: Call, act: str) -> bool:
    instance = call.body.part("lockInstance")
    kind, key = instance.optional("lockType"), instance.optional("key")
    if act == RELEASE:
        return call.domain.locks.unlock(kind, key)
    if not instance.has("expiredTime"):
        raise NacosError(500, "the lockInstance has no expiredTime", 500)
    return call.domain.locks.lock(kind, key, int(instance.number("expiredTime", -1)))


HANDLERS = (Handler("LockOperationRequest", "LockOperationResponse", operate),)
