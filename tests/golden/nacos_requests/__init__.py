"""What we ask of a Nacos: our own list of cases, each a sequence of requests; the recordings are its answers."""

from __future__ import annotations

from nacos_requests import auth, config, console, grpc, naming, retired, wire
from nacos_requests.steps import Case

#: Server set-ups → the cases that are played against them. `2.5.1` and `3.0.3` ask nobody who they are, `-auth` do;
#: `-shipped` is 3.0.3 with the compatibility switches as they come, the other 3.0.3 have all of them on.
PLANS: dict[str, tuple[Case, ...]] = {
    "2.5.1": tuple(
        case for case in (*config.CASES, *naming.CASES, *console.CASES, *wire.CASES, *grpc.CASES) if case.on_2
    ),
    "3.0.3": (*config.CASES, *naming.CASES, *console.CASES, *wire.CASES, *grpc.CASES),
    "2.5.1-auth": tuple(case for case in auth.CASES if case.on_2),
    "3.0.3-auth": auth.CASES,
    "3.0.3-shipped": retired.CASES,
}
