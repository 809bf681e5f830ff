"""The five services, by name."""

from __future__ import annotations

import stubs.bi_analysis.faces
import stubs.bi_api_jushuitan.faces
import stubs.bi_api_leke.faces
import stubs.bi_basic.faces
import stubs.bi_chat.faces
from stubs.common.service import Service

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        stubs.bi_basic.faces.SERVICE,
        stubs.bi_analysis.faces.SERVICE,
        stubs.bi_chat.faces.SERVICE,
        stubs.bi_api_jushuitan.faces.SERVICE,
        stubs.bi_api_leke.faces.SERVICE,
    )
}
