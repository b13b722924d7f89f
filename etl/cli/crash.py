"""A bug of ours becomes a file that a person can send. It must never hold the key or a cell."""

import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from etl.version import __version__


def write_crash_file(error: BaseException) -> Path:
    """Write where in our code it happened: file, line and function of each frame, the error's class, versions.

    Neither the error's words nor any variable is written: they could hold cells or the key.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f"coval-etl {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {type(error).__module__}.{type(error).__qualname__}",
        *(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
    ]
    folder = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path(tempfile.gettempdir())
    file = folder / f"coval-etl-crash-{datetime.now(UTC):%Y%m%d-%H%M%S}.txt"
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError:
        sys.stderr.write("\n".join(lines) + "\n")
    return file
