"""What handlers of all transports share beside the domain: addresses, connections, faults, long polls."""

from __future__ import annotations

from dataclasses import dataclass

from harness.emulators.nacos.domain import Domain, Identity
from harness.emulators.nacos.faults import Faults
from harness.emulators.nacos.grpc.connections import Connections
from harness.emulators.nacos.http.long_polls import LongPolls
from harness.emulators.nacos.udp import UdpPusher


@dataclass(frozen=True, slots=True)
class Site:
    """One running server."""

    domain: Domain
    identity: Identity
    connections: Connections
    faults: Faults
    polls: LongPolls
    udp: UdpPusher
