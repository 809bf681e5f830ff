"""serverless-post-function: the user's Lua at the end of a phase."""

from __future__ import annotations

from harness.emulators.apisix.plugins.serverless import Serverless


class ServerlessPostFunction(Serverless):
    name = "serverless-post-function"
    priority = -2000
