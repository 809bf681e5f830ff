"""A Dockerfile is read as Docker reads it."""

from __future__ import annotations

import pytest

from harness.preflight.dockerfile import DockerfileError, parse

FILE = """\
# syntax=docker/dockerfile:1
ARG BASE=debian:12
ARG VERSION

FROM golang:1.22 AS Builder
RUN --mount=type=secret,id=netrc --network=none go build \\
    # a comment in between
    -o /app \\

    ./...
COPY <<EOF /etc/conf
FROM nothing
EOF

from ${BASE}
COPY --from=builder --chown=1:1 /app /app
ENV TZ=Asia/Shanghai NAME="two words"
ENV OLD value
ENTRYPOINT ["/app", "serve"]
"""


def test_stages_and_instructions_with_their_lines() -> None:
    file = parse(FILE)
    assert [(stage.image, stage.name, stage.line) for stage in file.stages] == [
        ("golang:1.22", "builder", 5),
        ("${BASE}", "", 15),
    ]
    run, copy = file.stages[0].instructions
    assert (run.keyword, run.line, run.value) == ("RUN", 6, "go build -o /app ./...")
    assert (run.flag("mount"), run.flag("network"), run.flag("from")) == ("type=secret,id=netrc", "none", None)
    assert copy.value == "<<EOF /etc/conf\nFROM nothing"
    assert [(one.keyword, one.line) for one in file.stages[1].instructions] == [
        ("COPY", 16),
        ("ENV", 17),
        ("ENV", 18),
        ("ENTRYPOINT", 19),
    ]


def test_values_in_pairs_and_words() -> None:
    copy, env, old, entry = parse(FILE).stages[1].instructions
    assert copy.words == ("/app", "/app")
    assert env.pairs == {"TZ": "Asia/Shanghai", "NAME": "two words"}
    assert old.pairs == {"OLD": "value"}
    assert entry.words == ("/app", "serve")


def test_global_arguments_fill_in_what_has_a_default() -> None:
    assert parse(FILE).resolved("${BASE} $BASE ${VERSION}") == "debian:12 debian:12 "
    assert parse(FILE).resolved("${OTHER:-x}") == "${OTHER:-x}"


def test_a_stage_stands_on_those_it_is_from() -> None:
    file = parse("FROM a:1 AS base\nFROM base AS tools\nFROM base AS final\nFROM b:1\n")
    assert [stage.name for stage in file.lineage("final")] == ["base", "final"]
    assert [stage.image for stage in file.lineage()] == ["b:1"]
    with pytest.raises(LookupError, match="no stage is called 'none'"):
        file.lineage("none")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: there is no FROM"),
        ("RUN x\nFROM a:1", "line 1: RUN before the first FROM"),
        ("FROM a:1 AS", "line 1: FROM takes an image"),
        ("FROM a:1\n\n&& y", "line 3: '&&' is no instruction"),
        ("FROM a:1\nUSER", "line 2: USER says nothing"),
    ],
)
def test_what_is_no_dockerfile_is_told_with_its_line(text: str, why: str) -> None:
    with pytest.raises(DockerfileError, match=why):
        parse(text)
