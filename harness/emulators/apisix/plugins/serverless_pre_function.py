"""serverless-pre-function: the user's Lua at the begin of a phase."""

from __future__ import annotations

from harness.emulators.apisix.plugins.serverless import Serverless


class ServerlessPreFunction(Serverless):
    name = "serverless-pre-function"
    priority = 10000
