"""How a text from outside, and the end of a command, are said.

It must never import what a quick command can do without.
"""

import json
import os
import sys

from rich.console import Console
from rich.text import Text

from etl.errors import ExitCode, StoppedError


def visible(text: str | None) -> str:
    """Text from outside with its control characters spelt out, on one line."""
    if text is None:
        return ""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def write_out(text: str) -> bool:
    """Write to standard output; False when nobody reads it any more (which changes nothing about what was done).

    Raises StoppedError where it cannot be written: closed, or on a full disk.
    """
    try:
        if sys.stdout is None:
            raise StoppedError("Standard output is closed: the answer cannot be written.")
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        leave_stdout()
        return False
    except OSError as error:
        leave_stdout()
        raise StoppedError(f"Standard output cannot be written: {error.strerror}.") from None
    return True


def leave_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's end does not stumble over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _stderr() -> Console:
    """Where errors are said, also those of a command line that could not be read to its end."""
    plain = "--no-color" in sys.argv or None  # None: as NO_COLOR says
    return Console(file=sys.stderr, no_color=plain, highlight=False, soft_wrap=True)


def warn(sentence: str) -> None:
    """Something that a person should know, whatever they asked to be spared; on stderr."""
    console = _stderr()
    console.print(Text("Warning: ", style="bold yellow") + Text(visible(sentence)))


def report_error(message: str, hint: str, code: str, exit_code: ExitCode, *, as_json: bool) -> int:
    """Say why a command stopped: one sentence and what to do, on stderr; with `--json` a document on stdout."""
    if as_json:
        error = {"code": code, "message": message, "hint": hint}
        try:
            write_out(json.dumps({"error": error, "exit_code": int(exit_code)}, ensure_ascii=False) + "\n")
        except StoppedError:
            exit_code = ExitCode.STOPPED if exit_code is ExitCode.PROBLEMS else exit_code
    console = _stderr()
    console.print(Text("Error: ", style="bold red") + Text(visible(message)))
    if hint:
        console.print(Text("  " + visible(hint), style="dim"))
    return int(exit_code)
