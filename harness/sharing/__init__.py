"""One stack for several processes that take turns: a keeper holds it, and goes when the last of them has gone.

stack = join("some-run", platform, "dev", "docker")   # the first starts it
with stack.turn():                                     # alone with it; afterwards it is as declared
    ...
stack.stop()                                           # the last tears it down
"""

from __future__ import annotations

from harness.sharing.joining import join
from harness.sharing.shared_stack import SharedStack

__all__ = ["SharedStack", "join"]
