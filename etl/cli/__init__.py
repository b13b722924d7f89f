"""The command line: flags in, lines and exit codes out. One file per command; what a command does is in `work`.

Only this room reads the environment, prints and exits. It must never hold logic that the library does not have.
"""

import os
import sys
from typing import NoReturn

from etl.version import __version__

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line. The version is asked for by programs, and often: it is said without loading the rest."""
    if sys.argv[1:] == ["--version"]:
        try:
            os.write(1, f"coval-etl {__version__}\n".encode())
        except OSError:
            pass  # the long way says what is wrong
        else:
            sys.exit(0)
    from etl.cli import entry

    entry.main()
