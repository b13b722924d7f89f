"""`coval-etl verify`: whether an export is still what its manifest says. It must never ask the API."""

import json
from pathlib import Path

from etl.auditing import Verdict, verify
from etl.cli.options import Output
from etl.cli.saying import visible, write_out
from etl.cli.screen import Screen


def run(*, path: str, root: str | None, public_key: str | None, output: Output) -> int:
    """Check an export against its manifest, offline; name the files and the rows that are not as they were."""
    verdict = verify(Path(path), root, Path(public_key).expanduser() if public_key else None)
    if output.as_json:
        write_out(json.dumps(verdict.to_json(), ensure_ascii=False, indent=2) + "\n")
    else:
        _say(verdict, Screen(output))
    return 0 if verdict.holds else 1


def _say(verdict: Verdict, screen: Screen) -> None:
    manifest = verdict.manifest
    rows = ", ".join(f"{one.count:,} {one.name}" for one in manifest.resources)
    screen.say(f"Export   {rows}, of {visible(str(manifest.about.get('started')))}")
    screen.say(f"Root     {manifest.root}")
    signature = verdict.signature
    if signature is not None and signature.good:
        by = "by the key that you named" if signature.trusted else "by whom, only --public-key can say"
        screen.say(f"Signed   {visible(signature.by)} ({by})")
    elif signature is not None and verdict.holds:
        screen.say(f"Signed   not looked at: it is {visible(signature.by)} (--public-key)")
    for finding in verdict.findings:
        screen.warn(f"{finding.name} {finding.what}: {finding.why}.")
        for change, row in finding.rows:
            screen.say(f"          {change:8} {visible(row)}")
    screen.say("Holds: every file is what the manifest says." if verdict.holds else "Does not hold.")
