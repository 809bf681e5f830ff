"""Makes the gRPC modules next to each .proto: `python -m stubs.generate` (needs grpcio-tools, the dev extra)."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Generate all of them; answers protoc's exit code."""
    from grpc_tools import protoc  # type: ignore[import-untyped]

    protos = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "stubs").rglob("*.proto"))
    include = str(files("grpc_tools") / "_proto")
    out = [f"--{kind}_out={ROOT}" for kind in ("python", "pyi", "grpc_python")]
    return int(protoc.main(["protoc", f"-I{ROOT}", f"-I{include}", *out, *protos]))


if __name__ == "__main__":
    sys.exit(main())
