"""file-logger: lines in a file."""

from __future__ import annotations

import json

import pytest

from harness.emulators.apisix.plugins.file_logger import FileLogger


def test_a_line_for_each_request_that_matches(build, request_of, tmp_path):
    path = tmp_path / "log"
    conf = {"path": str(path), "log_format": {"u": "$uri", "c": "ö"}, "match": [[["arg_log", "==", "1"]]]}
    plugin = build(FileLogger, conf)
    for target in ("/a", "/b?log=1", "/c?log=1"):
        plugin.log(request_of(target))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"u": "/b", "c": "ö"},
        {"u": "/c", "c": "ö"},
    ]


def test_a_file_that_was_moved_is_made_anew(build, request_of, tmp_path):
    path = tmp_path / "log"
    plugin = build(FileLogger, {"path": str(path)})
    plugin.log(request_of("/"))
    path.rename(tmp_path / "old")
    plugin.log(request_of("/"))
    assert len(path.read_text().splitlines()) == 1


def test_a_file_that_can_not_be_opened(build, request_of, scope, tmp_path):
    build(FileLogger, {"path": str(tmp_path / "none" / "log")}).log(request_of("/"))
    assert scope.logs[0][1].startswith("failed to open file")


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (
            {"path": "a", "match": [["a", "bad", "b"]]},
            "failed to validate the 'match' expression: invalid operator 'bad'",
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(FileLogger, conf) == message


def test_the_metadatas_path(build, request_of, scope, tmp_path):
    message = 'property "path" is not set in either the plugin conf or the metadata'
    assert FileLogger.check_beside({}, {}) == message
    plugin = build(FileLogger)
    plugin.log(request_of("/"))
    assert scope.logs == [("error", message)]
    scope.plugin_metadata["file-logger"] = {"path": str(tmp_path / "log")}
    assert FileLogger.check_beside({}, scope.metadata("file-logger")) is None
    plugin.log(request_of("/"))
    assert (tmp_path / "log").exists()
