"""A Dockerfile is read as Docker reads it."""

from __future__ import annotations

import pytest

from harness.preflight.dockerfile import DockerfileError, Instruction, parse

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
    assert parse(FILE).resolved("${OTHER:-x} ${BASE:+y}${OTHER:+z} $OTHER") == "x y $OTHER"
    chained = parse("ARG V=1.22\nARG IMAGE=golang:${V}\nFROM ${IMAGE}\n")
    assert chained.resolved("${IMAGE}") == "golang:1.22"


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
        ("FROM a:1\nRUM make", "line 2: 'RUM' is no instruction"),
    ],
)
def test_what_is_no_dockerfile_is_told_with_its_line(text: str, why: str) -> None:
    with pytest.raises(DockerfileError, match=why):
        parse(text)


def only(text: str) -> Instruction:
    (found,) = parse(f"FROM a:1\n{text}\n").stages[0].instructions
    return found


def test_shifts_and_here_strings_are_no_documents() -> None:
    assert only("RUN echo $((1<<2))").value == "echo $((1<<2))"
    assert only('RUN cat <<<"x"').value == 'cat <<<"x"'
    assert only("LABEL a=<<b").value == "a=<<b"


def test_a_document_ends_at_its_word_alone() -> None:
    assert only("RUN <<EOF\n  EOF\nUSER x\nEOF").value == "<<EOF\n  EOF\nUSER x"
    assert only("RUN <<-'EOF' sh\n\tone\n\tEOF").value == "<<-'EOF' sh\n\tone"
    assert only("COPY <<a <<b /to/\n1\na\n2\nb").value == "<<a <<b /to/\n1\n2"


def test_another_escape_continues_lines() -> None:
    file = parse("# escape=`\nFROM a:1\nRUN one `\n  two\nCOPY c:\\\\ d\n")
    assert [one.value for one in file.stages[0].instructions] == ["one two", "c:\\\\ d"]


def test_lower_case_tabs_and_spaces_after_a_backslash() -> None:
    file = parse("from a:1 as B\n\trun\tone \\  \n  two\n")
    assert (file.stages[0].name, file.stages[0].instructions[0].value) == ("b", "one two")


def test_arg_declares_several_names_and_env_in_the_old_form_one() -> None:
    assert only("ARG A B=2 C='three four'").pairs == {"A": "", "B": "2", "C": "three four"}
    assert only("ENV A B=2").pairs == {"A": "B=2"}


def test_the_json_form_is_json_or_a_shell_gets_it() -> None:
    assert only('CMD ["a", "b c"]').listed == ("a", "b c")
    assert only("CMD ['a']").listed is None


def test_what_onbuild_asks_for_happens_in_the_stage_upon_it() -> None:
    file = parse("FROM a:1 AS base\nONBUILD COPY --chown=1 x /x\nFROM base AS middle\nRUN y\nFROM middle\nRUN z\n")
    assert [(one.keyword, one.value, one.line) for one in file.instructions()] == [
        ("COPY", "x /x", 2),
        ("RUN", "y", 4),
        ("RUN", "z", 6),
    ]
    assert file.instructions("base") == ()


def test_a_target_is_a_name_in_any_case_or_a_number() -> None:
    file = parse("FROM a:1 AS One\nFROM b:1\n")
    assert file.lineage("ONE") == file.lineage("0") == (file.stages[0],)


def test_values_of_a_stage_and_of_what_it_stands_on() -> None:
    text = "ARG P=1\nFROM a:1 AS base\nENV HTTP=8080\nFROM base\nARG P\nARG Q=$P\nENV R=${HTTP}$Q\n"
    assert parse(text).resolved("$HTTP $P $Q $R $S", "") == "8080 1 1 80801 $S"
