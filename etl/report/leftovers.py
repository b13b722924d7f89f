"""`pruned.jsonl`: what the sources of a job no longer have, and what became of it. It must never know a row."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or kept all the same. `told`: a line each, with its `status`; `planned`: nothing was sent."""

    told: Sequence[Mapping[str, object]]
    planned: bool = False
    why_not: str | None = None
    """Why nothing was deleted."""

    @property
    def counts(self) -> dict[str, int]:
        """By status, as `summary.json` has them."""
        found = Counter(one["status"] for one in self.told)
        if self.planned:
            return {"would_delete": found["would_delete"], "would_keep": found["kept"]}
        # What was not reached before the job stopped, or may still be there, is the next run's: `to_delete`.
        open_ = found["would_delete"] + found["in_doubt"]
        left = {"to_delete": open_} if open_ else {}
        return {name: found[name] for name in ("deleted", "gone", "kept")} | left

    @property
    def kept(self) -> bool:
        """Whether something was not deleted that the sources do not have: a person has to look."""
        return any(one["status"] == "kept" for one in self.told)

    @property
    def lines(self) -> bytes:
        """The content of the file."""
        return b"".join(json.dumps(one, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for one in self.told)
