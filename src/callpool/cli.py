"""The commands. Each one reads the settings, hands over to the module that does the work, and turns what
went wrong into one line: exit 0 done, 1 failed, 2 wrong usage or configuration."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from callpool import __version__, settings
from callpool.errors import CallpoolError
from callpool.settings import Settings

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
port_option = click.option("--port", type=int, help="The port; 0: any free one.")
roster_option = click.option(
    "--roster", metavar="MODULE", help="The module whose ROSTER names the agents (default: the shop's)."
)
folder = click.Path(exists=True, file_okay=False, path_type=Path)
existing = click.Path(exists=True, dir_okay=False, path_type=Path)
writable = click.Path(dir_okay=False, writable=True, path_type=Path)


def _load(**flags: object) -> Settings:
    """Read the settings; a flag is named `group__field`."""
    config: Path | None = click.get_current_context().find_root().params["config"]
    return settings.load(file=config, flags={key.replace("__", "."): value for key, value in flags.items()})


def _run(work: Coroutine[Any, Any, int]) -> None:
    click.get_current_context().exit(asyncio.run(work))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="callpool %(version)s")
@click.option(
    "--config", type=click.Path(path_type=Path), help="The configuration file (default: callpool.toml)."
)
def root(config: Path | None) -> None:
    """A worker-pool voice agent service on the LiveKit Agents SDK."""


@root.command()
@click.option("--host", help="The address every listener uses (default: loopback only).")
@roster_option
def up(host: str | None, roster: str | None) -> None:
    """Start everything on this machine: LiveKit server, local providers, worker, dispatcher, web."""
    from callpool.local.up import up as run

    config: Path | None = click.get_current_context().find_root().params["config"]
    _run(run(_load(worker__roster=roster), host=host, config=config))


@root.command()
@port_option
@roster_option
def worker(port: int | None, roster: str | None) -> None:
    """Register with LiveKit and answer calls."""
    from callpool.worker import run

    _run(run(_load(worker__port=port, worker__roster=roster)))


@root.command()
@click.option("--host", help="The address to listen on (default: loopback).")
@port_option
def dispatcher(host: str | None, port: int | None) -> None:
    """See to it that every caller has an agent: dispatch, wait, replace."""
    from callpool.dispatcher.command import run

    _run(run(_load(dispatcher__host=host, dispatcher__port=port)))


@root.command()
@click.option("--host", help="The address to listen on (default: loopback).")
@port_option
def web(host: str | None, port: int | None) -> None:
    """Serve the caller page and the API that starts calls."""
    from callpool.web.server import serve

    _run(serve(_load(web__host=host, web__port=port)))


@root.command()
@port_option
@click.option(
    "--rules", multiple=True, type=folder, help="Folder with the stand-in's rules (default: the roster's)."
)
@click.option("--latency", help="Fix latencies, in ms, and play a script: stt_final=150,ttft=350,ttfb=90")
@click.option("--script", type=existing, help="What is heard and said instead of the engines (YAML).")
@click.option(
    "--fault", multiple=True, help="Inject [PROVIDER.]KIND:RATE; KIND: 429 500 hang drop garbage slow"
)
def providers(
    port: int | None,
    rules: tuple[Path, ...],
    latency: str | None,
    script: Path | None,
    fault: tuple[str, ...],
) -> None:
    """Serve the Deepgram, OpenAI and Cartesia protocols on loopback, over local engines."""
    from callpool.local.behaviour import Behaviour, Fault, Latency, Script
    from callpool.local.providers import serve

    fixed = Latency.parse(latency) if latency else Latency() if script else None
    behaviour = Behaviour(
        latency=fixed,
        script=Script.read(script) if script else Script(),
        faults=[Fault.parse(text) for text in fault],
    )
    _run(serve(_load(local__providers_port=port), behaviour, rules))


@root.command()
@click.argument("say", nargs=-1)
@click.option("--wav", multiple=True, type=existing, help="Speak a recording (after the sentences).")
@click.option("--url", help="The web API (default: that of the running `callpool up`).")
@click.option("--language", help="The language the caller asks for.")
@click.option("--save", type=writable, help="Write what was heard to this WAV file.")
@as_json_option
def call(
    say: tuple[str, ...],
    wav: tuple[Path, ...],
    url: str | None,
    language: str | None,
    save: Path | None,
    as_json: bool,
) -> None:
    """Make a call as a synthetic caller that speaks SAY…, and print its timeline."""
    from callpool.caller import run

    _run(run(_load(), say=say, wav=wav, url=url, language=language, save=save, as_json=as_json))


@root.command("eval")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--audio", is_flag=True, help="Speak the scenarios, over the real LiveKit server.")
@roster_option
@click.option("--profile", help="The profile that the agents think with.")
@click.option("-k", "only", metavar="WORD", help="Only scenarios with this word in their name.")
@click.option("--judge", is_flag=True, help="Have criteria judged by the configured language model.")
@click.option("--junit", type=writable, help="Write the results to this file, as JUnit XML.")
@as_json_option
def evaluate(
    paths: tuple[Path, ...],
    audio: bool,
    roster: str | None,
    profile: str | None,
    only: str | None,
    judge: bool,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Run scenarios: what callers say, and what must happen. PATHS: YAML files or folders of them."""
    from callpool.evaluation import run

    _run(
        run(
            _load(worker__roster=roster),
            paths=paths,
            audio=audio,
            profile=profile,
            only=only,
            judge=judge,
            junit=junit,
            as_json=as_json,
        )
    )


@root.group()
def bench() -> None:
    """Measurements on real parts, on this machine."""


@bench.command("recover")
@click.argument("kills", nargs=-1, type=click.Choice(["job", "worker", "host"]))
@click.option(
    "-n", "count", type=click.IntRange(1, 1000), default=5, show_default=True, help="Kills of each kind."
)
@as_json_option
def bench_recover(kills: tuple[str, ...], count: int, as_json: bool) -> None:
    """Kill jobs, workers and hosts in mid-call: how long until the caller hears an agent again."""
    from callpool.bench import recover

    _run(recover.run(_load(), kills=kills, count=count, as_json=as_json))


@bench.command("telemetry")
@click.option(
    "-n", "count", type=click.IntRange(2, 1000), default=12, show_default=True, help="Pairs of calls."
)
@click.option("--gate", is_flag=True, help="Exit 1 when telemetry costs more than it may.")
@as_json_option
def bench_telemetry(count: int, gate: bool, as_json: bool) -> None:
    """What traces, metrics and logs cost a call: its turns' latency and its CPU, in pairs of calls."""
    from callpool.bench import telemetry

    _run(telemetry.run(_load(), count=count, gate=gate, as_json=as_json))


@root.command()
@click.option("--measure", is_flag=True, help="Measure first tokens, first audio and scenarios passed, now.")
@as_json_option
def profiles(measure: bool, as_json: bool) -> None:
    """Show the profiles: models, what each is best for, its price per minute of talk."""
    from callpool.matrix import run

    _run(run(_load(), measure=measure, as_json=as_json))


@root.group()
def agents() -> None:
    """The agents of a roster."""


@agents.command("graph")
@roster_option
@click.option("--svg", type=writable, help="Draw a picture into this file instead; -: standard output.")
def agents_graph(roster: str | None, svg: Path | None) -> None:
    """Print the stages, and which may follow which, as a Mermaid diagram."""
    from callpool.graph import graph

    click.echo(graph(_load(worker__roster=roster), svg=svg), nl=False)


@root.command()
@click.argument("path", type=click.Path(path_type=Path))
def new(path: Path) -> None:
    """Write a small package of agents of your own into PATH."""
    from callpool.scaffold import write

    click.echo(write(path))


@root.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Examine configuration, keys, endpoints, LiveKit, store, engines, ports and clock."""
    from callpool.doctor import run

    _run(run(_load(), as_json=as_json))


@root.group()
def calls() -> None:
    """Call records."""


@calls.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="At most this many."
)
@as_json_option
def calls_list(limit: int, as_json: bool) -> None:
    """List calls, newest first."""
    from callpool.store.report import list_calls

    _run(list_calls(_load(), limit=limit, as_json=as_json))


@calls.command("show")
@click.argument("call")
@as_json_option
def calls_show(call: str, as_json: bool) -> None:
    """Show one call, by its id or its room, turn by turn."""
    from callpool.store.report import show_call

    _run(show_call(_load(), call, as_json=as_json))


@root.command()
@click.option("--since", default="7d", show_default=True, help="7d ago (s, m, h, d, w), or a date.")
@click.option("--until", help="The same; default: now.")
@click.option(
    "--by",
    type=click.Choice(["stage", "provider", "model", "unit", "agent", "day"]),
    default="stage",
    show_default=True,
    help="What costs are summed up by.",
)
@as_json_option
def cost(since: str, until: str | None, by: str, as_json: bool) -> None:
    """Sum up what the calls that began in a time have cost."""
    from callpool.store.costs import report_costs

    _run(report_costs(_load(), since=since, until=until, by=by, as_json=as_json))


@root.group()
def db() -> None:
    """The store's schema."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the store's schema to this version."""
    from callpool.store.schema import upgrade_command

    _run(upgrade_command(_load()))


@root.group()
def config() -> None:
    """The configuration in force."""


@config.command("show")
@as_json_option
def config_show(as_json: bool) -> None:
    """Show every setting, its value and where it comes from; secrets stay hidden."""
    from callpool.configuration import show

    click.echo(show(_load(), as_json=as_json))


def main() -> None:
    """The entry point: one line for whatever a person can mend, and its exit code."""
    sys.path.append("")  # a roster of one's own lies in the working directory
    try:
        result = root(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        usage = (
            f" (see {error.ctx.command_path} --help)"
            if isinstance(error, click.UsageError) and error.ctx
            else ""
        )
        click.echo(f"callpool: {error.format_message()}{usage}", err=True)
        sys.exit(error.exit_code)
    except CallpoolError as error:
        click.echo(f"callpool: {error}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)
