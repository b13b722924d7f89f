"""When one row's outcome says something about all of them. It must never know rows, only what their requests meant."""

from collections import deque

from etl.errors import EtlError, KeyRefusedError, StoppedError, TlsError
from etl.writer.policy import Meaning

DOUBTS_RUNNING = 5
DOUBTS_WATCHED = 50
"""Five doubts running, or a fifth of the last fifty, stop the sending: doubts are a debt (delivery page)."""
FORBIDDEN_RUNNING = 3
FIRST_ROWS = 20
"""More than a fifth of the first twenty rows answered 400 looks like a wrong mapping, not like wrong rows."""

_DOUBTFUL = frozenset({Meaning.DOUBT, Meaning.STORED_WITHOUT_ID, Meaning.REDIRECTED})


class Watch:
    """Sees every settled request of a job and says when the job should stop."""

    def __init__(self, *, trust_mapping: bool = False) -> None:
        """`trust_mapping`: go on even when the API refuses more than a fifth of the first rows."""
        self._trust_mapping = trust_mapping
        self._doubts: deque[bool] = deque(maxlen=DOUBTS_WATCHED)
        self._forbidden = 0
        self._seen = 0
        self._refused = 0

    def reason_to_stop(self, meaning: Meaning, status: int | None, words: str) -> EtlError | None:
        """Why the job should stop after this outcome; None to go on. `words` explain a TLS failure."""
        self._seen += 1
        self._refused += status == 400
        self._forbidden = self._forbidden + 1 if meaning is Meaning.FORBIDDEN else 0
        self._doubts.append(meaning in _DOUBTFUL)
        if meaning is Meaning.TLS:
            return TlsError(words, "For a private certificate authority give --ca-bundle FILE.")
        if meaning is Meaning.KEY_REFUSED or self._forbidden >= FORBIDDEN_RUNNING:
            return KeyRefusedError("The API refused the key.", "Check COVAL_API_KEY and what the key may do.")
        if meaning is Meaning.REDIRECTED:
            return StoppedError("The API answered with a redirect; none is followed.", "Check the base URL.")
        return self._too_many_doubts() or self._too_many_refusals()

    def _too_many_doubts(self) -> EtlError | None:
        latest = list(self._doubts)[-DOUBTS_RUNNING:]
        if len(latest) == DOUBTS_RUNNING and all(latest):
            return StoppedError(
                f"{DOUBTS_RUNNING} requests in a row had no clear outcome.", "The report names the rows in doubt."
            )
        if len(self._doubts) == DOUBTS_WATCHED and sum(self._doubts) * 5 >= DOUBTS_WATCHED:
            return StoppedError(
                f"A fifth of the last {DOUBTS_WATCHED} requests had no clear outcome.",
                "The report names the rows in doubt.",
            )
        return None

    def _too_many_refusals(self) -> EtlError | None:
        if self._trust_mapping or self._seen > FIRST_ROWS or self._refused * 5 <= FIRST_ROWS:
            return None
        return StoppedError(
            f"The API refused {self._refused} of the first {self._seen} rows.",
            "That looks like a wrong mapping, not wrong rows; the report has the API's words. --yes goes on anyway.",
        )
