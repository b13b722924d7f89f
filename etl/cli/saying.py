"""How a text from outside, and the end of a command, are said.

It must never import what a quick command can do without.
"""

import json
import sys

from rich.console import Console
from rich.text import Text

from etl.errors import ExitCode


def visible(text: str | None) -> str:
    """Text from outside with its control characters spelt out, on one line."""
    if text is None:
        return ""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def report_error(message: str, hint: str, code: str, exit_code: ExitCode, *, as_json: bool) -> int:
    """Say why a command stopped: one sentence and what to do, on stderr; with `--json` a document on stdout."""
    if as_json:
        error = {"code": code, "message": message, "hint": hint}
        sys.stdout.write(json.dumps({"error": error, "exit_code": int(exit_code)}, ensure_ascii=False) + "\n")
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    console.print(Text("Error: ", style="bold red") + Text(visible(message)))
    if hint:
        console.print(Text("  " + visible(hint), style="dim"))
    return int(exit_code)
