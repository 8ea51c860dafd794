"""Words in, exit code out.

Only click is imported here. What a command needs is imported when it runs, because `--version`,
`--help` and completion have to answer at once.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import click

from ctxsim import __version__
from ctxsim.cli import failures, signals
from ctxsim.cli.streams import result
from ctxsim.errors import CtxsimError, ExitCode

_BARE = f"""\
ctxsim {__version__}: does each request see only its own data?

It sends concurrent fake requests to a Python web application, across threads,
greenlets and asyncio tasks, and tells how one request came to see another's.

  ctxsim check TARGET      no file needed: find the routes, and say what leaks
  ctxsim run FILE...       run scenario files; one result for all
  ctxsim explain CODE      what a finding means, its causes, and how to fix them
  ctxsim gallery [NAME]    known-bad applications with their fixed twins

Also init, matrix, locust, replay, show, report, doctor, validate, schema (see --help)
Exit codes: 0 as expected, 1 findings, 2 usage, 3 target, 4 inconclusive,
            5 thresholds, 70 a fault of ctxsim's own, 130 interrupted
"""


class _Commands(click.Group):
    """The commands; one that does not exist is answered with the nearest that does."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), 1)
            there = ", ".join(self.list_commands(ctx))
            hint = f"did you mean {near[0]}?" if near else f"there are {there}"
            raise click.UsageError(f"no such command: {name}\n  {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, invoke_without_command=True, add_help_option=True)
@click.version_option(__version__, message="ctxsim %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Does each request of a web application see only its own data?

    Results go to stdout, progress and logs to stderr. Each command has its own --help.
    """
    if context.invoked_subcommand is None:
        result(_BARE)


# The commands that take a while, and are ended from outside with a word to say.
_LASTING = ("check", "init", "doctor", "run", "replay", "matrix", "gallery")
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="What is written to stdout.  [default: text]",
)

_OPTIONS: dict[str, _Decorator] = {
    "--format": _FORMAT,
    "--report": click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="KIND=PATH",
        help="Also write a report to a file: junit=PATH or html=PATH. Can be repeated.",
    ),
    "--seed": click.option(
        "--seed", type=int, metavar="N", help="The seed, instead of the scenario's."
    ),
    "--workers": click.option(
        "--workers",
        multiple=True,
        metavar="WORDS",
        help="Workers instead of the scenario's, such as sync,threads:8. Can be repeated.",
    ),
    "--requests": click.option(
        "--requests", type=int, metavar="N", help="How many requests each cell sends."
    ),
    "--python": click.option(
        "--python", metavar="PATH", help="The interpreter that runs the application."
    ),
    "--allow-host": click.option(
        "--allow-host",
        "allowed_hosts",
        multiple=True,
        metavar="HOST",
        help="Let load go to this host, at a rate and for a duration. Can be repeated.",
    ),
    "--fail-fast": click.option(
        "--fail-fast", is_flag=True, help="End all cells at the first finding."
    ),
    "--no-cases": click.option(
        "--no-cases", is_flag=True, help="Do not carry again what was found here before."
    ),
    "--jobs": click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many cells run at a time.  [default: one per core]",
    ),
    "--timeout": click.option(
        "--timeout",
        metavar="TIME",
        default="30s",
        help="How long a cell may go without completing a request.  [default: 30s]",
    ),
    "--memory": click.option(
        "--memory",
        metavar="SIZE",
        help="How much memory a cell may use, such as 2GiB.  [default: 4GiB, or half of all]",
    ),
    "--color": click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Whether text is coloured.  [default: auto]",
    ),
    "-q": click.option("-q", "--quiet", is_flag=True, help="Show no progress."),
    "-v": click.option(
        "-v", "--verbose", is_flag=True, help="Show what the application wrote, and tracebacks."
    ),
}


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS.values()):
        command = option(command)
    return command


_PATH = click.option(
    "--path", metavar="DIR", default=".", help="Put before the import path.  [default: here]"
)
_PYTHON = click.option("--python", metavar="PATH", help="The application's interpreter.")
_OPENAPI = click.option(
    "--openapi",
    metavar="PATH",
    help="A server's OpenAPI document.  [default: /openapi.json, or /openapi.yaml]",
)
_RATE = click.option(
    "--rate", metavar="RATE", help="How much a server is sent at most, such as 20/s."
)
_CA = click.option("--ca", metavar="FILE", help="Trust a server by these certificates as well.")
_UNSAFE = click.option(
    "--unsafe", is_flag=True, help="Also send POST, PUT, PATCH and DELETE, which may change things."
)


@cli.command()
@click.argument("target")
@click.option(
    "--budget", metavar="TIME", default="60s", help="How long all of it may take.  [default: 60s]"
)
@_UNSAFE
@_PATH
@click.option("--shared", multiple=True, metavar="WORD", help="A route or object that all share.")
@click.option("--keeps", multiple=True, metavar="WORD", help="An object meant to keep values.")
@_OPENAPI
@_RATE
@_CA
@_with_options
def check(target: str, **given: Any) -> int:
    """Find an application's routes, and say what leaks; no file is needed.

    TARGET is module:attribute, path/to/file.py:attribute or module:factory(), or a module or file
    in which the application is searched for; or the URL of a server that has an OpenAPI document.
    """
    from ctxsim.cli import checking  # noqa: PLC0415 - brings pydantic and a YAML parser

    return checking.check(target, given)


@cli.command()
@click.argument("target")
@click.option("-o", "--output", metavar="FILE", help="Where to write it; - for stdout.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@_UNSAFE
@_PATH
@_PYTHON
@_OPENAPI
@_RATE
@_CA
@_OPTIONS["--allow-host"]
def init(target: str, **given: Any) -> int:
    """Write a commented scenario that runs as it is, from a target's routes."""
    from ctxsim.cli import checking  # noqa: PLC0415 - brings pydantic and a YAML parser

    return checking.init(target, **given)


@cli.command()
@click.argument("target", required=False)
@_PATH
@_PYTHON
@_FORMAT
def doctor(target: str | None, **given: Any) -> int:
    """Tell what ctxsim or an application runs on, and what looks shared."""
    from ctxsim.cli import telling  # noqa: PLC0415 - brings pydantic and a YAML parser

    return telling.doctor(target, **given)


@cli.command()
@click.argument("codes", nargs=-1, metavar="[CODE...]")
def explain(codes: Sequence[str]) -> int:
    """Say what a finding means, what usually causes it, and how to fix it."""
    from ctxsim.cli import telling  # noqa: PLC0415 - brings what reads the explanations

    return telling.explain(codes)


@cli.command()
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option(
    "--schedule",
    metavar="KIND",
    help="Who chooses which worker goes on: os, auto, random, pct or exhaustive; or replay.",
)
@click.option(
    "--budget",
    metavar="MUCH",
    help="How long a schedule is searched, such as 5000 or 60s.  [default: 2000 executions]",
)
@_with_options
def run(scenarios: Sequence[str], **given: Any) -> int:
    """Run scenario files; one result for all.

    SCENARIO is a file, a glob, or a folder, which means every *.ctxsim.yaml in it.
    """
    from ctxsim.cli import running  # noqa: PLC0415 - brings pydantic and a YAML parser

    return running.run(running.Words(scenarios=scenarios, **given))


@cli.command()
@click.argument("case", metavar="ID|FILE")
@click.option(
    "--times",
    type=click.IntRange(min=1),
    default=20,
    metavar="N",
    help="How often.  [default: 20]",
)
@click.option(
    "--emit-test",
    metavar="PATH",
    help="Write a test for pytest there, which fails as long as the case can be shown.",
)
@click.option(
    "--confirm",
    type=click.Choice(["threads"]),
    help="Carry it on native threads too, held at the same lines.",
)
def replay(case: str, times: int, emit_test: str | None, confirm: str | None) -> int:
    """Carry a case again that a search found: it shows each time, or not.

    The id stands beside the finding; a file is one of those in .ctxsim/cases. The exit code is 1 if
    it shows each time, 0 if it never does, and 4 if it does so sometimes. With --confirm it is 1 if
    it shows on native threads, and 4 if it shows but not there.
    """
    from ctxsim.cli import replaying  # noqa: PLC0415 - brings pydantic and a YAML parser

    return replaying.replay_case(
        case, times=times, emit_test=emit_test, on_threads=confirm is not None
    )


@cli.command()
@click.argument("case", metavar="ID")
@click.option("--web", is_flag=True, help="Open the whole result as a page in the browser.")
def show(case: str, web: bool) -> int:
    """Show a finding of the last result with its story, or a case that was kept.

    The id stands beside the finding. Nothing is run.
    """
    from ctxsim.cli import showing  # noqa: PLC0415 - brings what reads and writes reports

    return showing.show(case, web=web)


@cli.command()
@click.argument("name", metavar="[RESULT]", default=".ctxsim/last.json")
@click.option("--html", metavar="PATH", help="Write one page that needs nothing else.")
@click.option("--junit", metavar="PATH", help="Write JUnit XML.")
def report(name: str, **wanted: str | None) -> int:
    """Write reports of a result, as the run would have written them.

    RESULT is what --format json wrote, or by default the last one. Nothing is run.
    """
    from ctxsim.cli import showing  # noqa: PLC0415 - brings what reads and writes reports

    return showing.report(name, wanted)


@cli.command()
@click.argument("scenario", metavar="SCENARIO")
@_with_options
def matrix(scenario: str, **given: Any) -> int:
    """Show which storage and workers keep requests apart.

    SCENARIO is a file. The table has a row for each worker model and a column for each storage.
    """
    from ctxsim.cli import running  # noqa: PLC0415 - brings pydantic and a YAML parser

    return running.run(running.Words(scenarios=[scenario], as_matrix=True, **given))


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("scenario", metavar="SCENARIO")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[LOCUST OPTIONS]")
def locust(scenario: str, options: Sequence[str]) -> int:
    """Let Locust's users come and go: its web UI, headless, or on many machines.

    SCENARIO is a file. All options are Locust's, such as --headless -u 100 -t 30s, and besides:
    seed, workers, storage, faults, python, report junit=PATH and format json, each written with two
    dashes before it.
    """
    from ctxsim.cli import locusting  # noqa: PLC0415 - needed by this command alone

    return locusting.become(scenario, options)


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def validate(files: Sequence[str]) -> int:
    """Check scenario files, and run nothing.

    FILE is a file, a glob, or a folder, which means every *.ctxsim.yaml in it.
    """
    from ctxsim.cli import files as scenario_files  # noqa: PLC0415 - brings pydantic

    return scenario_files.validate(files)


@cli.command()
def schema() -> int:
    """Print the JSON Schema of scenario files, from which editors complete."""
    from ctxsim.cli import files as scenario_files  # noqa: PLC0415 - brings pydantic

    return scenario_files.print_schema()


@cli.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--fixed", is_flag=True, help="Run the fixed twin instead.")
@click.option("--all", is_flag=True, help="Run all, with their twins, and say which differ.")
@click.option(
    "--download/--no-download",
    default=None,
    help="Only what needs packages of its own, or only what needs none.",
)
@click.option("--table", is_flag=True, help="Measure all beside plain loops of requests.")
@_OPTIONS["--workers"]
@_OPTIONS["--seed"]
@_OPTIONS["--jobs"]
@_OPTIONS["--color"]
@_OPTIONS["-q"]
def gallery(name: str | None, **given: Any) -> int:
    """List known-bad applications, or run one with its story.

    NAME is an entry; each has a fixed twin. Packages are installed on demand, once.
    """
    from ctxsim.cli import gallery_running  # noqa: PLC0415 - brings pydantic

    return gallery_running.run(gallery_running.Words(name=name, **given))


def _carried_out(given: list[str]) -> int:
    # Without its standalone mode click neither prints errors nor chooses exit codes.
    done = cli.main(given, prog_name="ctxsim", standalone_mode=False)
    return done if isinstance(done, int) else ExitCode.OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line, by default that of the process, and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        # Before all else: a run imports for a good while before it can end its cells in order.
        with signals.raised() if given[:1] and given[0] in _LASTING else nullcontext():
            return _carried_out(given)
    except click.ClickException as error:
        return failures.usage(error, given)
    except CtxsimError as error:
        return failures.ours(error, given)
    except (KeyboardInterrupt, click.Abort):
        return failures.interrupted(given)
    except Exception as error:  # noqa: BLE001 - reported as our bug, with its traceback kept
        return failures.fault(error, given)
