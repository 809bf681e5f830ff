"""What a service's Dockerfile must keep to on this platform: one check a function, all of them in CHECKS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.preflight.dockerfile import Dockerfile, Instruction, Stage


@dataclass(frozen=True)
class Contract:
    """What the platform declares of a service: its container ports, whether it is configured, the stage to build."""

    ports: frozenset[int]
    configured: bool = False
    target: str = ""


@dataclass(frozen=True)
class Breach:
    """A line that breaks the contract, and how to mend it."""

    line: int
    what: str
    mend: str


Check = Callable[[Dockerfile, Contract], Iterator[Breach]]

#: Names of arguments and variables whose values are nobody's business.
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASS|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?|NETRC)(?:_|$)|_PWD$",
    re.IGNORECASE,
)
#: What is said about a secret is none.
_ABOUT_A_SECRET = re.compile(
    r"_(?:TTL|EXPIR\w*|SECONDS|LENGTH|URL|URI|HEADER|NAME|PATH|FILE|DIR|ISSUER|TYPE|ALG\w*|ENABLED?)$", re.IGNORECASE
)
_SECRET_FILE = re.compile(
    r"(?:^|/)(?:[._]netrc|\.npmrc|\.pypirc|\.git-credentials|id_(?:rsa|ed25519|ecdsa)|\.env(?:\.\w+)?|\.ssh"
    r"|\.aws/credentials|\.docker/config\.json|[^/]+\.(?:key|p12|pfx|jks))/?$"
)
_SECRET_WRITTEN = re.compile(r"(?:[._]netrc|\.npmrc|\.pypirc|\.git-credentials)\b")
_SECRET_URL = re.compile(r"[a-z][a-z+]*://[^/\s:@$]+:[^/\s@$]+@")
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_FROM = re.compile(r"(?:^|,)from=([^,]+)")
_CONFIG_FILE = re.compile(r"(?:^|/)(?:etc|conf|configs?)(?:/|$)|\.(?:ya?ml|toml|json|conf|ini|properties)$")


def multi_stage(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """A builder, and an image of the artefacts alone."""
    final = _final(file, contract)
    if len(file.stages) < 2:
        yield Breach(
            final.line, "there is one stage: compilers and caches go to production", "build in a stage of its own"
        )
        return
    taken = [one for one in file.instructions(contract.target) if one.keyword == "COPY" and one.flag("from")]
    if not taken:
        yield Breach(final.line, "the final stage takes nothing from a builder", "COPY --from=builder the artefacts")
    for one in taken:
        if one.words and one.words[0] == "/" and file.is_stage(one.flag("from") or ""):
            yield Breach(one.line, "all of a builder is copied", "COPY --from=builder the artefacts alone")


def no_secret_in_final_stage(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """Every layer and the history of the final image can be read by whoever pulls it."""
    mend = "use it in the builder stage, or by RUN --mount=type=secret"
    for one in _instructions(file, contract):
        if one.keyword in ("ARG", "ENV"):
            for name in filter(None, (_secret(one, *pair) for pair in one.pairs.items())):
                yield Breach(one.line, f"{one.keyword} {name} stays in the image's history", mend)
        if one.keyword in ("COPY", "ADD"):
            for path in filter(_SECRET_FILE.search, one.words):
                yield Breach(one.line, f"{path} stays in a layer, even when it is removed later", mend)
        if one.keyword == "RUN" and _SECRET_WRITTEN.search(one.value) and one.flag("mount") is None:
            yield Breach(one.line, "what is written to a log-in file stays in the history, if not in a layer", mend)
        if _SECRET_URL.search(one.value):
            yield Breach(one.line, "a URL with a password stays in the image's history", mend)


def _secret(one: Instruction, name: str, value: str) -> str:
    """The name, if it is a secret's: ARG is given its value by the build; a path is none."""
    given = one.keyword == "ARG" or bool(value)
    told = _SECRET_NAME.search(name) and not _ABOUT_A_SECRET.search(name) and not value.startswith("/")
    return name if given and told else ""


def exposed_ports(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """EXPOSE is what operations read: it equals what the platform declares."""
    exposed = [one for one in _instructions(file, contract) if one.keyword == "EXPOSE"]
    lines = {port: one.line for one in exposed for word in one.words for port in _ports(word, file, contract)}
    final = _final(file, contract)
    for port in sorted(contract.ports - lines.keys()):
        yield Breach(final.line, f"port {port} is declared and not exposed", f"EXPOSE {port}")
    for port in sorted(lines.keys() - contract.ports):
        yield Breach(
            lines[port], f"port {port} is exposed and not declared", "declare it under `ports`, or leave it out"
        )


def time_zone(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """Reports are cut at midnight: whose midnight must be said."""
    variables = {name for one in _instructions(file, contract) if one.keyword == "ENV" for name in one.pairs}
    localtime = any("/etc/localtime" in one.value for one in _instructions(file, contract))
    if "TZ" not in variables and not localtime:
        yield Breach(_final(file, contract).line, "no time zone is set: it runs in UTC", "ENV TZ=Asia/Shanghai")


def configuration_copied(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """A replica must start when Nacos has no configuration for it yet."""
    copies = (one for one in _instructions(file, contract) if one.keyword in ("COPY", "ADD"))
    if contract.configured and not any(_CONFIG_FILE.search(word) for one in copies for word in one.words):
        what = "no configuration is copied in: without Nacos' the service has none"
        yield Breach(_final(file, contract).line, what, "COPY config.yaml /etc/<service>/config.yaml")


def pinned_images(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """The same Dockerfile builds the same image next month."""
    names = (
        {stage.name for stage in file.stages if stage.name} | {str(n) for n in range(len(file.stages))} | {"scratch"}
    )
    used = [(stage.image, stage.line) for stage in file.stages]
    used += [(one.flag("from") or "", one.line) for stage in file.stages for one in stage.all("COPY", "ADD")]
    mounts = [(one.flags, one.line) for stage in file.stages for one in stage.all("RUN")]
    used += [(_FROM.findall(value)[0], line) for flags, line in mounts for _, value in flags if _FROM.search(value)]
    for written, line in used:
        image = file.resolved(written)
        if image and "$" not in image and image.lower() not in names and not _has_version(image):
            yield Breach(line, f"{image} names no version", "write a tag, or better a digest")


def not_root(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """Who breaks out of the service is nobody."""
    users = [one for one in _instructions(file, contract) if one.keyword == "USER"]
    if not users:
        yield Breach(_final(file, contract).line, "it runs as root: no USER is set", "USER 10001:10001")
    elif file.resolved(users[-1].value, contract.target).split(":")[0] in ("root", "0"):
        yield Breach(users[-1].line, "it runs as root", "USER 10001:10001")


def health_check(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """Whether a container that runs also works is seen from outside."""
    found = [one for one in _instructions(file, contract) if one.keyword == "HEALTHCHECK"]
    if not found or found[-1].value.upper() == "NONE":
        line = found[-1].line if found else _final(file, contract).line
        yield Breach(line, "there is no health check", "HEALTHCHECK CMD … that asks the readiness path")


def exec_form(file: Dockerfile, contract: Contract) -> Iterator[Breach]:
    """A shell in between swallows SIGTERM: the replica is killed without leaving Nacos."""
    starts = [one for one in _instructions(file, contract) if one.keyword in ("ENTRYPOINT", "CMD")]
    last = {one.keyword: one for one in starts}
    start = last.get("ENTRYPOINT") or last.get("CMD")
    if start is None:
        yield Breach(_final(file, contract).line, "nothing says how it starts", 'ENTRYPOINT ["/app/service"]')
    elif _keeps_signals(start):
        mend = f'write {start.keyword} ["program", "argument"], or start the command with `exec`'
        yield Breach(start.line, "a shell starts it and keeps SIGTERM to itself", mend)
    for one in _instructions(file, contract):
        if one.keyword == "STOPSIGNAL" and one.value.upper().removeprefix("SIG") in ("KILL", "9"):
            yield Breach(one.line, "it is killed without a word: it can't leave Nacos", "STOPSIGNAL SIGTERM")


def _keeps_signals(start: Instruction) -> bool:
    """Whether a shell stands between Docker and the program: the plain form, or a shell in the JSON form."""
    words = start.listed
    if words is None:
        return not start.value.startswith("exec ")
    shell = len(words) > 2 and words[0].rpartition("/")[2] in _SHELLS and words[1].startswith("-") and "c" in words[1]
    return shell and not words[2].lstrip().startswith("exec ")


#: In the order in which they are told.
CHECKS: Sequence[Check] = (
    multi_stage,
    no_secret_in_final_stage,
    pinned_images,
    exposed_ports,
    time_zone,
    configuration_copied,
    not_root,
    health_check,
    exec_form,
)


def _final(file: Dockerfile, contract: Contract) -> Stage:
    return file.lineage(contract.target)[-1]


def _instructions(file: Dockerfile, contract: Contract) -> tuple[Instruction, ...]:
    """All that went into the final image, from the bottom up."""
    return file.instructions(contract.target)


def _ports(word: str, file: Dockerfile, contract: Contract) -> Iterator[int]:
    """8080, 8080/tcp, 8080-8081, ${PORT}."""
    plain = file.resolved(word, contract.target).split("/")[0]
    first, _, last = plain.partition("-")
    if first.isdigit():
        yield from range(int(first), int(last if last.isdigit() else first) + 1)


def _has_version(image: str) -> bool:
    name = image.rpartition("/")[2]
    tag = name.partition(":")[2]
    return "@sha256:" in name or bool(tag and tag != "latest")
