"""The command as a person runs it: a process of its own, in a folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"


@dataclass
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def etl(folder: Path, *arguments: object, stdin: bytes | None = None, **environment: str) -> Said:
    """Run `coval-etl ARGUMENTS` in `folder`, which is also its home; nothing of this process's environment is seen."""
    own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "PATH": os.defpath, "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-m", "etl", *map(str, arguments)],
        cwd=folder,
        env=own | environment,
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
