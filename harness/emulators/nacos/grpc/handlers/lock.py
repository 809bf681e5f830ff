"""Distributed locks over gRPC (3.x clients); nobody needs a permission for them."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.grpc.body import wrong
from harness.emulators.nacos.grpc.calls import Call, Failed, Handler
from harness.emulators.nacos.locks import LockRefused

ACQUIRE, RELEASE, EXPIRE = "ACQUIRE", "RELEASE", "EXPIRE"
#: What Java says of a null.
_LOCK = "com.alibaba.nacos.api.lock.model.LockInstance"
_NO_INSTANCE = f'Cannot invoke "{_LOCK}.getLockType()" because "lockInstance" is null'
_NO_TIME = f'Cannot invoke "java.lang.Long.longValue()" because the return value of "{_LOCK}.getExpiredTime()" is null'


def operate(call: Call) -> dict[str, Any]:
    """Take or free a lock; `result` says whether that worked."""
    act = call.body.text("lockOperationEnum")
    if act not in (ACQUIRE, RELEASE, EXPIRE, ""):
        raise wrong()
    if act not in (ACQUIRE, RELEASE):
        raise Failed(0, "There is no Handler of such operations!", {"result": False})
    if not call.body.has("lockInstance"):
        raise NacosError(500, _NO_INSTANCE, 500)
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
        raise NacosError(500, _NO_TIME, 500)
    return call.domain.locks.lock(kind, key, int(instance.number("expiredTime", -1)))


HANDLERS = (Handler("LockOperationRequest", "LockOperationResponse", operate),)
