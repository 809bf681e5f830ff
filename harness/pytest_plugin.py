"""Options and fixtures only: a running stack, its clients, and a reset to the declared state after each test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.clients import ApisixClient, NacosClient
    from harness.errors import HarnessError
    from harness.gateway import Gateway
    from harness.services import ServiceHandle
    from harness.sharing import SharedStack
    from harness.stack import Stack

DEFAULT_PLATFORM = "stubs/platform.yaml"
STACK = pytest.StashKey["Stack"]()
RAN = pytest.StashKey[list[str]]()
RECORDED = pytest.StashKey[list[Any]]()
#: Fixtures whose requests are as many as time allows: no two runs ask the same.
UNREPEATABLE = frozenset({"traffic"})
#: The engines of which one stack is all that a machine should run: with xdist the workers share it and take turns.
SHARED = frozenset({"docker"})
#: The shared stack of a worker of xdist, or why there is none.
JOINED = pytest.StashKey["SharedStack | HarnessError"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--engine, --env, --platform, --record, --keep-stack."""
    group = parser.getgroup("harness", "the platform that scenarios run against")
    group.addoption("--engine", default="embedded", help="where the platform runs: embedded (default), docker")
    group.addoption("--env", default="dev", help="the environment, DEPLOY_ENV (default: dev)")
    group.addoption("--platform", default=None, metavar="FILE", help=f"the platform file (default: {DEFAULT_PLATFORM})")
    group.addoption("--record", default=None, metavar="FILE", help="write all exchanges as JSON, for `harness compare`")
    group.addoption("--keep-stack", action="store_true", help="after the last test keep the stack until Ctrl-C")


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the marker, and refuse options that can't go together."""
    config.addinivalue_line("markers", "requires(*capabilities): what the engine must be able to do for this scenario")
    if config.getoption("--keep-stack") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--keep-stack keeps one stack: run without -n")
    if config.getoption("--record") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--record writes one file: run without -n")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """As a worker of xdist: a test of the shared stack has it to itself, set-up and tear-down included.

    The first hook of all: waiting for one's turn is no part of a test's time.
    """
    if not _is_shared(item.config) or "stack" not in getattr(item, "fixturenames", ()):
        return (yield)
    joined = _joined(item.config)
    if isinstance(joined, Exception):
        return (yield)  # the fixture says why
    with joined.turn():
        return (yield)


def _is_shared(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput") and config.getoption("--engine") in SHARED


def _joined(config: pytest.Config) -> SharedStack | HarnessError:
    from harness.errors import HarnessError
    from harness.sharing import join

    if JOINED not in config.stash:
        run = config.workerinput["testrunuid"]  # type: ignore[attr-defined]
        try:
            config.stash[JOINED] = join(run, _platform(config), config.getoption("--env"), config.getoption("--engine"))
        except HarnessError as error:
            config.stash[JOINED] = error
    return config.stash[JOINED]


def _platform(config: pytest.Config) -> Path:
    return Path(config.getoption("--platform") or config.rootpath / DEFAULT_PLATFORM)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The running platform; one per session, with xdist one per worker (with containers: one that all share)."""
    from harness.errors import HarnessError

    config = request.config
    try:
        running = _running(config)
    except HarnessError as error:
        pytest.exit(f"the stack did not start\n{error}", returncode=3)
    config.stash[STACK] = running
    yield running
    if config.getoption("--record"):
        from harness.comparing import record_nacos, write

        write(Path(config.getoption("--record")), [*config.stash.get(RECORDED, []), *record_nacos(running)])
    if config.getoption("--keep-stack"):
        _keep(config, running)
    if not _is_shared(config):  # else it is left at the end of the session: this may still be the last test's turn
        running.stop()


def _running(config: pytest.Config) -> Stack:
    from harness.stack import Stack

    if not _is_shared(config):
        return Stack.start(_platform(config), config.getoption("--env"), config.getoption("--engine"))
    joined = _joined(config)
    if isinstance(joined, Exception):
        raise joined
    return joined


def _keep(config: pytest.Config, running: Stack) -> None:
    from harness.running import wait_for_interrupt

    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nthe stack is kept: {running.endpoints.gateway_http}; Ctrl-C ends it", flush=True)
        wait_for_interrupt()


@pytest.fixture(autouse=True)
def _declared_state(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse what the engine can't do; afterwards put the stack back to its declared state."""
    if "stack" not in request.fixturenames:
        yield
        return
    running: Stack = request.getfixturevalue("stack")
    _refuse_what_it_cannot(request.node, running)
    running.begin_test()
    yield
    if request.config.getoption("--record") and not UNREPEATABLE.intersection(request.fixturenames):
        from harness.comparing import exchanges_of

        request.config.stash.setdefault(RECORDED, []).extend(exchanges_of(request.node.nodeid, running.exchanges))
    if not _is_shared(request.config):  # the end of a turn does it
        running.reset()


def _refuse_what_it_cannot(node: pytest.Item, running: Stack) -> None:
    needed = [capability for marker in node.iter_markers("requires") for capability in marker.args]
    if lacking := running.lacks(needed):
        pytest.skip(f"not applicable on the {running.engine.name} engine, which lacks: {lacking}")


@pytest.fixture
def gateway(stack: Stack) -> Iterator[Gateway]:
    """An httpx client on the gateway, with helpers for the declared consumers' credentials."""
    with stack.gateway() as client:
        yield client


@pytest.fixture
def apisix(stack: Stack) -> ApisixClient:
    """The Admin API."""
    return stack.apisix


@pytest.fixture
def nacos(stack: Stack) -> NacosClient:
    """Nacos' HTTP API."""
    return stack.nacos


@pytest.fixture
def service(stack: Stack) -> Callable[[str], ServiceHandle]:
    """`service("bi-basic")`: a handle on its replicas, their journals and knobs."""
    return stack.service


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On failure, add what was asked and answered, what the gateway decided, and the last logs."""
    report = yield
    running = item.config.stash.get(STACK, None)
    if running is not None and call.when == "call" and report.failed:
        from harness.report import sections

        report.sections.extend(sections(running))
    return report


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which platform runs where."""
    if config.rootpath.joinpath(DEFAULT_PLATFORM).exists() or config.getoption("--platform"):
        engine, environment = config.getoption("--engine"), config.getoption("--env")
        return f"harness: {_platform(config)} ({environment}) on the {engine} engine"
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What ran: each component, real or emulated, and how long the stack took to be ready."""
    running = config.stash.get(STACK, None)
    by_workers: list[str] = config.stash.get(RAN, list[str]())
    for line in [_ran(running)] if running else dict.fromkeys(by_workers):
        terminalreporter.write_line(line)


def _ran(running: Stack) -> str:
    parts = [f"{component} {what}" for component, what in running.engine.versions.items()]
    return f"harness: {', '.join(parts)}; ready after {running.timings['ready']} s"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """As a worker of xdist: have the one that reports tell what ran here, and leave the shared stack."""
    output, running = getattr(session.config, "workeroutput", None), session.config.stash.get(STACK, None)
    if output is not None and running is not None:
        output["harness"] = _ran(running)
    joined = session.config.stash.get(JOINED, None)
    if joined is not None and not isinstance(joined, Exception):
        joined.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a worker of xdist told."""
    if told := getattr(node, "workeroutput", {}).get("harness"):
        node.config.stash.setdefault(RAN, []).append(told)
