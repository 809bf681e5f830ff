"""The command line: parse, call, print, exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness import serving

app = typer.Typer(
    help="A local full-stack emulator and integration-test harness for services behind Apache APISIX and Nacos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serve = typer.Typer(help="Run one emulator alone.", no_args_is_help=True)
app.add_typer(serve, name="serve")
images = typer.Typer(help="The container images of the Docker engine.", no_args_is_help=True)
app.add_typer(images, name="images")
preflight = typer.Typer(help="Checks before a deployment.", no_args_is_help=True)
app.add_typer(preflight, name="preflight")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"harness {version('bi-harness')}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="say which")] = False,
) -> None:
    pass


PlatformFile = Annotated[Path, typer.Option("--platform", help="the platform file", show_default=True)]
Environment = Annotated[str, typer.Option("--env", help="the environment (DEPLOY_ENV)")]
Name = Annotated[str, typer.Option("--name", help="the stack's name: one per name runs at a time")]
DEFAULT_PLATFORM = Path("stubs/platform.yaml")
#: Of the emulators' commands: their own parsers read what follows.
_AS_IT_CAME = {"ignore_unknown_options": True, "allow_extra_args": True}


@app.command()
def up(
    engine: Annotated[str, typer.Option(help="where it runs: embedded or docker")] = "embedded",
    env: Environment = "dev",
    platform: PlatformFile = DEFAULT_PLATFORM,
    name: Name = "default",
    detach: Annotated[bool, typer.Option("--detach", help="go on in the background")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object with every end-point")] = False,
    port: Annotated[list[str] | None, typer.Option(help="a fixed port, NAME=NUMBER (http, admin, nacos …)")] = None,
) -> None:
    """Start the declared platform and keep it until Ctrl-C (or `harness down`)."""
    from harness import running

    running.up(
        engine=engine,
        environment=env,
        platform=platform,
        name=name,
        detach=detach,
        as_json=as_json,
        ports=_ports(port or []),
    )


def _ports(given: list[str]) -> dict[str, int]:
    pairs = [entry.partition("=") for entry in given]
    if wrong := [name + sign + number for name, sign, number in pairs if not number.isdigit()]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=NUMBER", param_hint="--port")
    return {name: int(number) for name, _, number in pairs}


@app.command()
def status(name: Name = "default", as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show what runs, where, and whether it answers."""
    from harness import running

    raise typer.Exit(running.status(name, as_json=as_json))


@app.command()
def logs(
    component: Annotated[str, typer.Argument(help="etcd, nacos, gateway, bi-basic, bi-basic/0; all without it")] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on as lines come")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", help="how many of the last lines")] = 20,
    name: Name = "default",
) -> None:
    """Show the last log lines of one component or of all."""
    from harness import running

    running.logs(name, component, follow=follow, lines=lines)


@app.command()
def down(name: Name = "default") -> None:
    """Stop a stack that `harness up` started."""
    from harness import running

    running.down(name)


@app.command()
def explain(
    method: Annotated[str, typer.Argument(help="GET, POST …")],
    uri: Annotated[str, typer.Argument(help="path and query, as the client sends them")],
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'Name: value'; may be repeated")] = None,
    send: Annotated[bool, typer.Option("--send", help="send it as well, and tell what each plugin decided")] = False,
    name: Name = "default",
) -> None:
    """Show the way of a request through the gateway of a running stack: route, near misses, plugins, nodes."""
    from harness import running
    from harness.explaining import explain as told

    print(told(running.read_state(name)["endpoints"], method, uri, header or [], send=send))


@app.command()
def render(
    platform: PlatformFile = DEFAULT_PLATFORM,
    env: Environment = "dev",
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="print secrets in clear")] = False,
    as_format: Annotated[str, typer.Option("--format", help="text, or compose: docker-compose.yml")] = "text",
) -> None:
    """Print the APISIX resources and Nacos records that the platform compiles to."""
    from harness.model import load_platform

    if as_format == "compose":
        from harness.engines.compose import compose_text, config_text

        loaded = load_platform(platform, env)
        loaded.directory.joinpath("apisix-config.yaml").write_text(config_text())
        sys.stdout.write(compose_text(loaded, Path.cwd()))
        return
    if as_format != "text":
        raise typer.BadParameter(f"{as_format!r} is neither text nor compose", param_hint="--format")
    from harness.model import render as render_platform

    sys.stdout.write(render_platform(load_platform(platform, env), show_secrets=show_secrets))


@app.command("compare")
def compare_engines(
    engines: Annotated[str, typer.Option(help="the two to compare")] = "embedded,docker",
    scenarios: Annotated[list[str] | None, typer.Argument(help="what to run; the folder scenarios without it")] = None,
    recorded: Annotated[
        str, typer.Option(metavar="FILE,FILE", help="run nothing: compare what `pytest scenarios --record` wrote twice")
    ] = "",
) -> None:
    """Run the scenarios on two engines; print every difference in status, header and body. Exit code 1 with one."""
    from harness import comparing

    if recorded:
        differences = comparing.compare_files(recorded.split(","), typer.echo)
    else:
        differences = comparing.run(engines.split(","), scenarios or ["scenarios"], typer.echo)
    for difference in differences:
        typer.echo(str(difference))
    typer.echo(
        f"{len(differences)} differences; what may differ: {len(comparing.HEADERS)} headers and "
        f"{len(comparing.VALUES)} patterns, each with its reason in harness/comparing.py"
    )
    raise typer.Exit(int(bool(differences)))


@serve.command("nacos", context_settings=_AS_IT_CAME, add_help_option=False)
def serve_nacos(context: typer.Context) -> None:
    """Run the Nacos emulator alone; prints `ready {addresses}`, stops on SIGTERM. See `--help` of it."""
    raise typer.Exit(serving.nacos(context.args))


@serve.command("apisix", context_settings=_AS_IT_CAME, add_help_option=False)
def serve_apisix(context: typer.Context) -> None:
    """Run the APISIX emulator alone; prints `ready {addresses}`, stops on SIGTERM. See `--help` of it."""
    raise typer.Exit(serving.apisix(context.args))


@images.command("build")
def images_build(
    offline: Annotated[bool, typer.Option("--offline", help="from package registries alone, without pulling")] = False,
    only: Annotated[list[str] | None, typer.Option(help="these images and what they need; may be repeated")] = None,
) -> None:
    """Make the images that can't be pulled; those whose sources haven't changed are left alone."""
    from harness.engines.images.command import build_images

    if not offline:
        raise typer.BadParameter("official images are pulled when they are needed; --offline makes them here")
    build_images(only or [])


@images.command("list")
def images_list() -> None:
    """Show each component's images, and which one would be used here."""
    from harness.engines.images.command import show_images

    show_images()


@preflight.command("dockerfiles")
def preflight_dockerfiles(platform: PlatformFile = DEFAULT_PLATFORM, env: Environment = "dev") -> None:
    """Check every service's Dockerfile against what the platform declares; exit code 1 when something is wrong."""
    from harness.model import load_platform
    from harness.preflight.dockerfiles import check_platform

    read, findings = check_platform(load_platform(platform, env))
    for finding in findings:
        print(finding)
    print(f"{len(read)} Dockerfiles checked, {len(findings)} findings")
    raise typer.Exit(1 if findings else 0)
