"""The entrance: finds the command, runs it, and turns whatever stopped it into one sentence and an exit code.

It must never import a command that is not asked for: `--help` and `--version` have to be quick.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

import rich_click as click

from etl.errors import EtlError, ExitCode
from etl.version import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "inspect": ("etl.cli.inspect", "Show what a file is, how it is read, and which mapping fits."),
    "preview": ("etl.cli.preview", "Show the request bodies that a file would become."),
    "validate": ("etl.cli.validate", "Check a file and name every bad cell; nothing is sent."),
    "import": ("etl.cli.import_", "Check a file and create its rows in Coval; report what became of each."),
    "resume": ("etl.cli.resume", "Carry on an import that was cut off, stopped, or left rows in doubt."),
    "jobs": ("etl.cli.jobs", "List the imports that the ledger knows, their state, and what to do next."),
    "report": ("etl.cli.report", "Write the report of a job again, in every format."),
    "rollback": ("etl.cli.rollback", "Delete what an import created, unless it was changed since."),
    "export": ("etl.cli.export", "Write what the API has into files, whole, with a manifest to check them by."),
    "diff": ("etl.cli.diff", "Compare two exports, or an export with the API, field by field."),
    "verify": ("etl.cli.verify", "Check an export against its manifest, and name what was changed."),
    "migrate": ("etl.cli.migrate", "Copy an organisation, or an export of it, into another one."),
    "mappings": ("etl.cli.mappings", "Show the ready-made mappings, check your own, print the schema for editors."),
    "completion": ("etl.cli.completion", "Print the script that completes commands and values in your shell."),
    "doctor": ("etl.cli.doctor", "Check key, network, clock, contract, ledger and versions; say what to do."),
    "sandbox": ("etl.cli.sandbox", "Run a local Coval API for rehearsals, demos and tests."),
}
"""Each command: the module that holds it (as `command`), and its line in the help."""

click.rich_click.MAX_WIDTH = 100
click.rich_click.OPTION_GROUPS = {
    "*": [
        {
            "name": "What is read",
            "options": [
                "--format",
                "--sheet",
                "--header-row",
                "--columns",
                "--delimiter",
                "--quote",
                "--escape",
                "--encoding",
                "--member",
                "--records",
                "--fill-merged",
            ],
        },
        {
            "name": "Which rows, and as what",
            "options": ["--resource", "--mapping", "--set", "--where", "--limit"],
        },
        {"name": "How it is checked", "options": ["--test-set", "--create-missing", "--contract", "--strict"]},
        {
            "name": "Where it goes",
            "options": [
                "--sandbox",
                "--profile",
                "--base-url",
                "--api-key-file",
                "--api-key",
                "--workspace",
                "--timeout",
                "--ca-bundle",
            ],
        },
        {
            "name": "How it is sent",
            "options": [
                "--dry-run",
                "--all-or-nothing",
                "--max-errors",
                "--concurrency",
                "--rate",
                "--settle",
                "--ledger",
                "--again",
                "--yes",
            ],
        },
        {
            "name": "What is said",
            "options": ["--report", "--log-file", "--json", "--quiet", "--verbose", "--no-color", "--help"],
        },
    ]
}


class LazyGroup(click.RichGroup):
    """A group that imports a command's module when the command is run, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click hands it in)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (click hands it in)
        """A command's name and its line, as the help shows them."""
        return click.RichCommand(name=cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            if ctx.resilient_parsing:
                return None, None, []
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(COMMANDS)}."
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        name = args[0]
        command: click.Command = import_module(COMMANDS[name][0]).command
        return name, command, args[1:]


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="coval-etl", message="%(prog)s %(version)s")
def cli() -> None:
    """Test suites and agent configurations into Coval, exactly: every row once, every cell as it was.

    \b
    A first walk, without a key and without sending anything anywhere:
      coval-etl inspect  cases.xlsx             what is in it?
      coval-etl validate cases.xlsx             which cells are wrong?
      coval-etl preview  cases.xlsx             what would be sent?
      coval-etl import   cases.xlsx --sandbox --test-set "My cases" --create-missing

    \b
    Then for real:
      export COVAL_API_KEY=...
      coval-etl import cases.xlsx --test-set "My cases" --create-missing

    Every import leaves a folder with results.jsonl (one line a row) and rejects.* (the rows to mend, in the
    file's own format: fix them and import that file).
    """


def main() -> NoReturn:
    """Run the command line and exit with a code of the product page's table."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _keep_no_core()
    if asked := os.environ.get("_COVAL_ETL_COMPLETE"):
        sys.exit(_complete(asked))
    if point := os.environ.get("COVAL_ETL_CRASH_AT"):
        from etl.crashpoints import arm

        arm(point)
    sys.exit(run(lambda: cli.main(standalone_mode=False)))


def _complete(asked: str) -> int:
    """Answer a shell's script. Whatever goes wrong, the person who types is not disturbed by it."""
    from etl.cli.completion import PROGRAM, VARIABLE, completion_class

    with contextlib.suppress(Exception):
        shell = asked.removesuffix("_complete")
        answer = completion_class(shell)(cli, {}, PROGRAM, VARIABLE).complete()
        os.write(1, f"{answer}\n".encode())
        return 0
    return 1


def _keep_no_core() -> None:
    """A core dump would hold the key."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(command: Callable[[], Any]) -> int:
    """Run a command; its exit code. Whatever stops it becomes one clear sentence on stderr."""
    as_json = "--json" in sys.argv
    try:
        code = command()
        _say_all()
    except EtlError as error:
        return _end(error.message, error.hint, error.code, error.exit_code, as_json=as_json)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"See {context.command_path} --help." if context else ""
        return _end(error.format_message(), hint, "usage", ExitCode.USAGE, as_json=as_json)
    except _stops() as stop:
        interrupt = stop.__context__ if isinstance(stop, click.Abort) else stop  # click makes the one of the other
        hint = str(interrupt) if isinstance(interrupt, KeyboardInterrupt) else ""
        return _end("Stopped.", hint, "stopped", ExitCode.STOPPED, as_json=as_json)
    except Exception as error:  # noqa: BLE001  (the last border: a bug of ours becomes a file, not a traceback)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _end_full(error, as_json=as_json)
        from etl.cli.crash import write_crash_file

        words = f"This is a bug of coval-etl ({type(error).__name__})."
        hint = f"Please send us {write_crash_file(error)}; it holds no key."
        return _end(words, hint, "bug", ExitCode.BUG, as_json=as_json)
    return code if isinstance(code, int) else ExitCode.DONE


def _say_all() -> None:
    """Hand over what is still to be said. Whether anybody reads on does not matter."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        from etl.cli.saying import leave_stdout

        leave_stdout()


def _end_full(error: OSError, *, as_json: bool) -> int:
    """A disk that is full, or the one that standard output goes to."""
    from etl.cli.saying import leave_stdout

    leave_stdout()
    words = f"{error.filename or 'Standard output'} cannot be written: {error.strerror}."
    return _end(words, "Make room, and do it again.", "stopped", ExitCode.STOPPED, as_json=as_json)


def _stops() -> tuple[type[BaseException], ...]:
    """What a person's Ctrl-C can have become. Where asyncio was never loaded, it is none of asyncio's."""
    asyncio = sys.modules.get("asyncio")
    return click.Abort, KeyboardInterrupt, *([asyncio.CancelledError] if asyncio else [])


def _end(message: str, hint: str, code: str, exit_code: ExitCode, *, as_json: bool) -> int:
    from etl.cli.saying import report_error

    return report_error(message, hint, code, exit_code, as_json=as_json)
