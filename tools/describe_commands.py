# ruff: noqa: INP001  # a script
"""Writes docs/reference/commands.md from the commands themselves. It must never say what a command does not say itself.

python -m tools.describe_commands
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from etl.cli.entry import COMMANDS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "commands.md"

_HEAD = """\
# Commands

Written from the commands themselves by `python -m tools.describe_commands`; a test holds it to them. Options that mean
the same have the same words everywhere. What a command ends with: [exit codes](exit-codes.md); what it writes:
[files](files.md).
"""


def reference() -> str:
    """The page."""
    return _HEAD + "".join(
        section
        for name, (module, _) in COMMANDS.items()
        for section in _sections(f"coval-etl {name}", import_module(module).command)
    )


def _sections(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    words = re.sub(r"\n*\f.*", "", inspect.cleandoc(command.help or ""), flags=re.DOTALL)
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    rows = "".join(f"| {_spelling(one)} | {_plain(one.help or '')}{_variable(one)} |\n" for one in options)
    yield f"\n## {name}\n\n```text\n{name} {usage}\n```\n\n{_paragraphs(words)}\n\n| option | |\n| --- | --- |\n{rows}"
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _sections(f"{name} {inner.name}", inner)


def _paragraphs(words: str) -> str:
    """Help as Markdown: what a `\\b` keeps as it is becomes a block."""
    parts = words.split("\n\n")
    kept = (
        f"```text\n{part.removeprefix(chr(8)).strip(chr(10))}\n```" if part.startswith("\b") else part for part in parts
    )
    return "\n\n".join(kept)


def _spelling(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" `{option.metavar or option.type.name.upper()}`"
    return _plain(names + value)


def _variable(option: click.Option) -> str:
    return f" Also: `{option.envvar}`." if isinstance(option.envvar, str) else ""


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
