"""When one row's outcome says something about all of them. It must never know rows, only what their requests meant."""

from collections import deque

from etl.api import Meaning
from etl.errors import EtlError, KeyRefusedError, StoppedError, TlsError

DOUBTS_RUNNING = 5
DOUBTS_WATCHED = 50
"""Five doubts running, or a fifth of the last fifty, pause the sending: doubts are a debt (delivery page)."""
FORBIDDEN_RUNNING = 3
FIRST_ROWS = 20
"""More than a fifth of the first twenty rows answered 400 looks like a wrong mapping, not like wrong rows."""

DOUBTFUL = frozenset({Meaning.DOUBT, Meaning.STORED_WITHOUT_ID, Meaning.REDIRECTED, Meaning.UNSUPPORTED})
"""What leaves a row in doubt."""


class Watch:
    """Sees every settled request of a job and says when the job should stop."""

    def __init__(self, *, trust_mapping: bool = False) -> None:
        """`trust_mapping`: go on even when the API refuses more than a fifth of the first rows."""
        self._trust_mapping = trust_mapping
        self._doubts: deque[bool] = deque(maxlen=DOUBTS_WATCHED)
        self._forbidden = 0
        self._misplaced = 0
        self._pauses = 0
        self._seen = 0
        self._refused = 0

    def reason_to_stop(self, meaning: Meaning, status: int | None, words: str) -> EtlError | None:
        """Why the job should stop after this outcome; None to go on. `words` explain a TLS failure."""
        self._seen += 1
        self._refused += status == 400
        self._forbidden = self._forbidden + 1 if meaning is Meaning.FORBIDDEN else 0
        self._misplaced = self._misplaced + 1 if meaning is Meaning.MISPLACED else 0
        self._doubts.append(meaning in DOUBTFUL)
        self._pauses = 0 if meaning is Meaning.STORED else self._pauses
        if meaning is Meaning.TLS:
            return TlsError(words, "For a private certificate authority give --ca-bundle FILE.")
        if meaning is Meaning.KEY_REFUSED or self._forbidden >= FORBIDDEN_RUNNING:
            return KeyRefusedError("The API refused the key.", "Check COVAL_API_KEY and what the key may do.")
        if meaning is Meaning.UNSUPPORTED or self._misplaced >= FORBIDDEN_RUNNING:
            words = f"The API answered {status}: it is not at this address, or of another version."
            return StoppedError(words, "Check the base URL.")
        if meaning is Meaning.REDIRECTED:
            return StoppedError("The API answered with a redirect; none is followed.", "Check the base URL.")
        return self._too_many_refusals()

    @property
    def too_many_doubts(self) -> bool:
        """Whether sending should pause until the rows in doubt have been looked for."""
        latest = list(self._doubts)[-DOUBTS_RUNNING:]
        running = len(latest) == DOUBTS_RUNNING and all(latest)
        return running or (len(self._doubts) == DOUBTS_WATCHED and sum(self._doubts) * 5 >= DOUBTS_WATCHED)

    @property
    def pauses(self) -> int:
        """How often running sending was paused for doubts without a clear outcome in between."""
        return self._pauses

    def begin_anew(self) -> None:
        """Sending goes on after it was paused: what was before counts no longer."""
        self._pauses += 1
        self._doubts.clear()

    def _too_many_refusals(self) -> EtlError | None:
        if self._trust_mapping or self._seen > FIRST_ROWS or self._refused * 5 <= FIRST_ROWS:
            return None
        return StoppedError(
            f"The API refused {self._refused} of the first {self._seen} rows.",
            "That looks like a wrong mapping, not wrong rows; the report has the API's words. --yes goes on anyway.",
        )
