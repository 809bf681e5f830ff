"""What requests with one head share: the route they take, and what its rewrite phase made of the first of them."""

from __future__ import annotations

from typing import Any, Final

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plans import Plan, Route
from harness.emulators.apisix.proxy.head import Field, Head

#: So many upstream heads are kept of one way: they differ by the client's address and the Host alone.
MOST_SENT: Final = 16


class Way:
    """Where requests with one head go as long as the configuration stays as it was in `epoch`.

    `plan` is None when the route depends on more than the head: then each request is matched by itself. `kept` is what
    their rewrite phase comes to, once it is known and where it is the same for all.
    """

    __slots__ = ("epoch", "headers", "kept", "params", "path", "plan", "route")

    def __init__(self, epoch: object, path: str, headers: Headers) -> None:
        self.epoch = epoch
        self.path = path
        self.headers = headers
        self.route: Route | None = None
        self.params: dict[str, str] | None = None
        self.plan: Plan | None = None
        self.kept: Kept | None = None


class Kept:
    """A request as the rewrite phase leaves it: its consumer, its fields, and the plan with the consumer's plugins.

    It holds from `begins` until `ends`, in seconds of the gateway's clock.
    """

    __slots__ = ("begins", "consumer", "ends", "items", "plan", "sent")

    def __init__(self, items: list[Field], plan: Plan, consumer: ConsumerEntry | None = None) -> None:
        self.items = items
        self.plan = plan
        self.consumer = consumer
        self.begins = -INFINITE
        self.ends = INFINITE
        #: a client's address and a Host → the head that goes to the upstream, if no later phase has changed anything
        self.sent: dict[tuple[str, str], bytes] = {}

    def send(self, address: str, host: str, data: bytes) -> None:
        """Keep a head for the next request from `address`."""
        if len(self.sent) >= MOST_SENT:
            self.sent.clear()
        self.sent[address, host] = data


INFINITE: Final = float("inf")
#: what every request's context has; a plugin that sets more (upstream_uri, skipped, …) did what `Kept` doesn't tell
_MEMBERS: Final = frozenset(vars(Context(None, "", "", "", "", (1, 1), Headers(), "", 0.0)))  # type: ignore[arg-type]
_TOLD: Final = frozenset({"holds_from", "holds_until", "max_body"})


def keep(ctx: Context, head: Head, plan: Plan) -> None:
    """Have requests with the same head start behind the rewrite phase, if it will come to the same for them.

    `plan` says that its plugins' rewrite repeats itself; here is seen that they found a consumer and changed header
    fields, and did nothing else.
    """
    way: Any = head.way
    if way is None or way.route is not ctx.route or ctx.holds_until <= ctx.started:
        return
    if vars(ctx).keys() - _MEMBERS - _TOLD or ctx.notes or ctx.variables or ctx.response.items or ctx.tries:
        return
    came = (head.method, head.target, way.path, head.query, head.host, None, None)
    if (ctx.method, ctx.target, ctx.uri, ctx.query, ctx.host, ctx.upstream, ctx.body) != came:
        return
    if not head.real_ip and ctx.remote_addr != ctx.client.remote_addr:
        return
    kept = way.kept = Kept(ctx.headers.items.copy(), plan, ctx.consumer)
    kept.begins, kept.ends = ctx.holds_from, ctx.holds_until
