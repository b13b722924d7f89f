"""The command as a person runs it, from its arguments to its exit code: a process of its own, a folder of its own."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forking import Call, shared

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
TIMEOUT_S = 120


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
    """Run `coval-etl ARGUMENTS` in `folder`, which is also its home; nothing of this process's environment is seen.

    It costs no start, unless something is typed into it or the interpreter itself is told something.
    """
    own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "PATH": os.defpath, "LANG": "C.UTF-8"}
    if stdin is None and not any(name.startswith("PYTHON") for name in environment):
        with tempfile.TemporaryDirectory(prefix="coval-etl-said-") as said:
            words = tuple(map(str, arguments))
            ended = shared().run_now(Call(words, folder, own | environment, says_in=Path(said)), TIMEOUT_S)
        return Said(ended.code, ended.out, ended.err)
    done = subprocess.run(
        [sys.executable, "-m", "etl", *map(str, arguments)],
        cwd=folder,
        env=own | environment,
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
