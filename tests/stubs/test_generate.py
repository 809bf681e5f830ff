"""The committed gRPC modules are what their .proto files say."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import stubs

ROOT = Path(stubs.__file__).resolve().parent.parent
PROTOS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "stubs").rglob("*.proto"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    out = tmp_path_factory.mktemp("protos") / "all.pb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--descriptor_set_out={out}", *PROTOS]
    subprocess.run(command, check=True, cwd=ROOT)
    return {file.name: file for file in FileDescriptorSet.FromString(out.read_bytes()).file}


@pytest.mark.parametrize("path", PROTOS)
def test_the_module_is_up_to_date(compiled, path):
    module = importlib.import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")
    committed = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    assert committed == without_json_names(compiled[path]), "run `python -m stubs.generate`"


def without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """protoc writes them into descriptor sets and leaves them out of Python modules."""
    for message in file.message_type:
        for part in (message, *message.nested_type):
            for field in part.field:
                field.ClearField("json_name")
    return file
