"""Each check finds its breach, in its line, and nothing in a Dockerfile that keeps the contract."""

from __future__ import annotations

import pytest

from harness.preflight.dockerfile_checks import CHECKS, Contract
from harness.preflight.dockerfiles import check_text

CONTRACT = Contract(frozenset({8080, 9090}), configured=True)
GOOD = """\
ARG BASE=debian:12.5
FROM golang:1.22.5 AS builder
ARG GOPROXY=
ARG NETRC
RUN printf '%s' "$NETRC" > ~/.netrc && go build -o /app ./... && rm ~/.netrc
FROM ${BASE}
COPY --from=builder /app /app
COPY config.yaml /etc/service/config.yaml
ENV TZ=Asia/Shanghai HTTP_PORT=8080
USER 10001:10001
EXPOSE ${HTTP_PORT} 9090/tcp
HEALTHCHECK CMD ["/app", "health"]
ENTRYPOINT ["/app"]
"""


def found(text: str, contract: Contract = CONTRACT) -> list[tuple[str, int]]:
    """(check, line) of each finding."""
    return [(one.check, int(one.where.rpartition(":")[2])) for one in check_text(text, contract, "Dockerfile")]


def test_a_dockerfile_that_keeps_the_contract() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("COPY --from=builder /app /app", "COPY app /app", ("multi-stage", 6)),
        ("USER 10001:10001", "ARG DB_PASSWORD\nUSER 10001:10001", ("no-secret-in-final-stage", 10)),
        ("HTTP_PORT=8080", "HTTP_PORT=8080 API_TOKEN=abc", ("no-secret-in-final-stage", 9)),
        ("COPY config.yaml", "COPY .netrc /root/.netrc\nCOPY config.yaml", ("no-secret-in-final-stage", 8)),
        ("USER 10001", "ENV INDEX=https://bot:pw@index.example\nUSER 10001", ("no-secret-in-final-stage", 10)),
        ("USER 10001:10001", "ARG DB_PASS DB_PWD=x\nUSER 10001:10001", ("no-secret-in-final-stage", 10)),
        ("USER 10001:10001", "RUN echo $X > ~/.netrc && get && rm ~/.netrc\nUSER 1", ("no-secret-in-final-stage", 10)),
        ("COPY --from=builder /app /app", "COPY --from=builder /root/.netrc /app /", ("no-secret-in-final-stage", 7)),
        ("COPY config.yaml", "COPY tls.key .env /etc/\nCOPY config.yaml", ("no-secret-in-final-stage", 8)),
        ("COPY --from=builder /app /app", "COPY --from=builder / /", ("multi-stage", 7)),
        ("RUN printf", "RUN --mount=type=bind,from=tools,target=/t true\nRUN printf", ("pinned-images", 5)),
        ("golang:1.22.5", "golang:latest", ("pinned-images", 2)),
        ("debian:12.5", "debian", ("pinned-images", 6)),
        ("--from=builder", "--from=builder/tools", ("pinned-images", 7)),
        (" 9090/tcp", "", ("exposed-ports", 6)),
        (" 9090/tcp", " 9090-9091", ("exposed-ports", 11)),
        ("TZ=Asia/Shanghai ", "", ("time-zone", 6)),
        ("COPY config.yaml /etc/service/config.yaml\n", "", ("configuration-copied", 6)),
        ("USER 10001:10001\n", "", ("not-root", 6)),
        ("USER 10001:10001", "USER 0", ("not-root", 10)),
        ("USER 10001:10001", "ARG UID=0\nUSER ${UID}:${UID}", ("not-root", 11)),
        ('HEALTHCHECK CMD ["/app", "health"]\n', "", ("health-check", 6)),
        ('HEALTHCHECK CMD ["/app", "health"]', "HEALTHCHECK NONE", ("health-check", 12)),
        ('ENTRYPOINT ["/app"]', "ENTRYPOINT /app", ("exec-form", 13)),
        ('ENTRYPOINT ["/app"]\n', "", ("exec-form", 6)),
        ('ENTRYPOINT ["/app"]', "ENTRYPOINT ['/app']", ("exec-form", 13)),
        ('ENTRYPOINT ["/app"]', 'ENTRYPOINT ["/bin/sh", "-c", "/app --flag"]', ("exec-form", 13)),
        ('ENTRYPOINT ["/app"]', 'STOPSIGNAL 9\nENTRYPOINT ["/app"]', ("exec-form", 13)),
    ],
)
def test_a_breach_is_found_in_its_line(old: str, new: str, finding: tuple[str, int]) -> None:
    assert old in GOOD
    assert finding in found(GOOD.replace(old, new))


def test_one_stage_alone() -> None:
    assert ("multi-stage", 1) in found("FROM golang:1.22.5\nRUN go build\n")


def test_every_check_has_its_breach_here() -> None:
    told = {
        mark.args[1][n][2][0]
        for mark in test_a_breach_is_found_in_its_line.pytestmark
        for n in range(len(mark.args[1]))
    }
    assert told == {check.__name__.replace("_", "-") for check in CHECKS}


def test_what_the_final_stage_stands_on_counts_and_the_builder_does_not() -> None:
    text = GOOD.replace("FROM ${BASE}\n", "FROM ${BASE} AS base\nENV TOKEN=abc\nFROM base\n")
    assert found(text) == [("no-secret-in-final-stage", 7)]


def test_a_service_without_configuration_need_not_copy_one() -> None:
    text = GOOD.replace("COPY config.yaml /etc/service/config.yaml\n", "")
    assert found(text, Contract(CONTRACT.ports)) == []


def test_the_declared_target_is_the_final_stage() -> None:
    text = GOOD.replace("FROM ${BASE}\n", "FROM ${BASE} AS run\n") + "FROM run AS debug\nUSER root\n"
    assert found(text) == [("not-root", 15)]
    assert found(text, Contract(CONTRACT.ports, True, "run")) == []


def test_what_cannot_be_read_is_a_finding() -> None:
    (finding,) = check_text("RUN x\n", CONTRACT, "Dockerfile")
    assert str(finding).startswith("Dockerfile: line 1: RUN before the first FROM [readable]\n  mend:")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ENV TZ", "ENV TOKEN_TTL=3600 SECRET_NAME=db PASSWORD_FILE=/run/secrets/p TZ"),
        ("USER 10001", "RUN --mount=type=secret,id=netrc,target=/root/.netrc get\nUSER 10001"),
        ("USER 10001", "ARG UID=10001\nUSER ${UID:-0}:10001\n#"),
        ('["/app"]', '["/bin/sh", "-c", "exec /app"]'),
        ("EXPOSE ${HTTP_PORT} 9090/tcp", "expose ${HTTP_PORT:-1} \\\n  ${GRPC_PORT:-9090}"),
        ("FROM ${BASE}\n", "FROM ${BASE} AS base\nENV GRPC_PORT=9090\nFROM base\n"),
    ],
)
def test_what_keeps_the_contract_in_other_words(old: str, new: str) -> None:
    assert old in GOOD
    assert found(GOOD.replace(old, new, 1)) == []


def test_a_secret_that_onbuild_brings_into_the_final_stage() -> None:
    text = GOOD.replace("FROM ${BASE}\n", "FROM ${BASE} AS base\nONBUILD COPY .netrc /root/\nFROM base\n")
    assert found(text) == [("no-secret-in-final-stage", 7)]
