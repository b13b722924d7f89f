"""`coval-etl completion`: the script with which a shell completes commands, options and values.

It must never change a shell's own files.
"""

import os
from pathlib import Path
from typing import Any

import rich_click as click
from click.shell_completion import BashComplete, add_completion_class, get_completion_class

from etl.cli.saying import write_out
from etl.errors import UsageError

PROGRAM = "coval-etl"
VARIABLE = "_COVAL_ETL_COMPLETE"
"""What a shell's script sets to ask for suggestions."""
SHELLS = ("bash", "zsh", "fish")
INSTALL = {
    "bash": "echo 'eval \"$(coval-etl completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(coval-etl completion zsh)\"' >> ~/.zshrc   (below the line with compinit)",
    "fish": "coval-etl completion fish > ~/.config/fish/completions/coval-etl.fish",
}

_BASH = """\
# coval-etl: completion for bash 4.4 or newer
%(complete_func)s() {
    local IFS=$'\\n' type value
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                case ${COMP_WORDS[COMP_CWORD]} in
                    [\\"\\']*) compopt -o filenames ;;
                    *) printf -v value %%q "$value" ;;
                esac
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """As click's, but names of several words stay one, and no name is taken for a pattern of files."""

    source_template = _BASH

    def source(self) -> str:
        """The script. Which bash this is, it says itself."""
        return self.source_template % self.source_vars()


@click.command("completion")
@click.argument("shell", required=False, type=click.Choice(SHELLS), metavar="[bash|zsh|fish]")
def command(*, shell: str | None) -> None:
    """Print the script that completes commands, options, mappings, sheets, jobs and profiles.

    Without a shell's name it says how to install it for yours.
    """
    if shell is None:
        write_out(_advice(os.environ.get("SHELL", "")))
        return
    write_out(script(shell))


def script(shell: str) -> str:
    """The script for a shell."""
    from etl.cli.entry import cli

    text: str = completion_class(shell)(cli, {}, PROGRAM, VARIABLE).source()
    return text


def completion_class(shell: str) -> type[Any]:
    """What answers a shell's script. Raises UsageError for a shell that is not known."""
    add_completion_class(Bash)
    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"There is no completion for {shell!r}.", f"There is for {', '.join(SHELLS)}.")
    return found


def _advice(shell: str) -> str:
    own = Path(shell).name
    meant = [own] if own in INSTALL else list(SHELLS)
    return "".join(f"{one}:\n  {INSTALL[one]}\n" for one in meant) + "Then begin a new shell.\n"
