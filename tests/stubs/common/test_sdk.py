"""The SDK is there without the parts that are never used, and leaves no placeholder behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import sys
from stubs.common.sdk import nacos, preload_login
print(sorted({name.partition(".")[0] for name in sys.modules} & {"a2a", "aiohttp", "Crypto", "Tea", "requests"}))
from v2.nacos.transport.grpc_util import QueryPromptResponse
try:
    QueryPromptResponse()
except NotImplementedError as error:
    print(error)
from v2.nacos.ai.model.ai_response import QueryPromptResponse
print(QueryPromptResponse().get_response_type())
preload_login()
from v2.nacos.transport import http_agent
print(http_agent.aiohttp.ClientSession.__name__)
"""


def test_unused_parts_are_left_out_and_can_be_had_later():
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[]",
        "v2.nacos.ai.model.ai_response.QueryPromptResponse is left out of the stand-ins (see stubs/common/sdk.py)",
        "QueryPromptResponse",
        "ClientSession",
    ]


def test_the_sdk_works_without_a_network(monkeypatch):
    from v2.nacos.utils.net_util import NetUtils

    from stubs.common.sdk import nacos, stay_on_the_loopback

    monkeypatch.setattr("psutil.net_if_addrs", dict)
    monkeypatch.setattr(NetUtils, "get_local_ip", staticmethod(NetUtils.get_local_ip.__wrapped__))
    with pytest.raises(nacos.NacosException):
        NetUtils.get_local_ip()
    stay_on_the_loopback()
    assert NetUtils.get_local_ip() == "127.0.0.1"
