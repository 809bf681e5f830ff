"""What counts as a difference between two engines."""

from __future__ import annotations

import httpx
import pytest

from harness.comparing import Exchange, compare, compare_files, exchanges_of, read, run, write
from harness.errors import SpecError


def exchange(**changes: object) -> Exchange:
    told = {"name": "a", "method": "GET", "path": "/", "status": 200, "headers": {}, "body": "", **changes}
    return Exchange(**told)  # type: ignore[arg-type]


def differences(left: Exchange, right: Exchange) -> list[str]:
    return [difference.what for difference in compare([left], [right])]


@pytest.mark.parametrize(
    ("left", "right", "what"),
    [
        ({"status": 200}, {"status": 404}, "status"),
        ({"headers": {"x-a": "1"}}, {"headers": {}}, "header x-a"),
        ({"body": "one"}, {"body": "two"}, "body"),
        ({"name": "t #0: GET /"}, {"name": "t #0: GET /x"}, "asked on one engine only"),
    ],
)
def test_a_difference_is_told(left, right, what):
    assert set(differences(exchange(**left), exchange(**right))) == {what}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"headers": {"date": "Mon"}}, {"headers": {"date": "Tue"}}),
        ({"body": '{"a": 1, "b": 2}'}, {"body": '{"b":2,"a":1}'}),
        ({"body": "at 127.0.0.1:8080 on bi-basic-0"}, {"body": "at 10.1.2.3:9 on bi-basic-1"}),
        ({"body": '{"timestamp":1795414907019}'}, {"body": '{"timestamp":1795414907123}'}),
    ],
)
def test_what_is_each_runs_own_is_none(left, right):
    assert differences(exchange(**left), exchange(**right)) == []


def test_a_test_that_one_engine_cannot_run_is_none():
    assert differences(exchange(name="clock #0: GET /"), exchange(name="other #0: GET /")) == []


def test_a_recording_is_read_as_written(tmp_path):
    write(tmp_path / "r.json", [exchange(headers={"a": "b"})])
    assert read(tmp_path / "r.json") == [exchange(headers={"a": "b"})]


def test_two_files_are_compared(tmp_path):
    left, right, told = tmp_path / "l.json", tmp_path / "r.json", []
    write(left, [exchange()])
    write(right, [exchange(status=500)])
    found = compare_files([str(left), str(right)], told.append)
    assert ([one.what for one in found], told) == (["status"], [f"1 exchanges on {left}, 1 on {right}"])


@pytest.mark.parametrize("content", [None, "no json", '[{"name": 1}]'])
def test_a_file_that_is_no_recording_is_refused(tmp_path, content):
    file = tmp_path / "r.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SpecError, match=r"r\.json"):
        compare_files([str(file), str(file)], print)


def test_two_engines_are_compared():
    with pytest.raises(SpecError, match="name two"):
        run(["embedded"], [], print)


def answered(status, path="/x"):
    request = httpx.Request("GET", f"http://gateway{path}")
    return httpx.Response(status, request=request, content=b"")


def test_what_is_asked_again_counts_once():
    answers = [answered(200), answered(200), answered(429), answered(200, "/y")]
    assert [(one.path, one.status) for one in exchanges_of("t", answers)] == [("/x", 200), ("/x", 429), ("/y", 200)]


def test_an_error_that_passes_is_luck():
    [only] = exchanges_of("t", [answered(502), answered(502), answered(503), answered(503)])
    assert (only.name, only.status) == ("t #0: GET /x", 503)
    assert [one.status for one in exchanges_of("t", [answered(500), answered(200, "/y")])] == [500, 200]
