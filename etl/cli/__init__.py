"""The command line: flags and environment in, lines and exit codes out. One file per command.

Only this room reads the environment, prints and exits. It must never hold logic that the library does not have.
"""

from etl.cli.entry import main

__all__ = ["main"]
