"""Who may prepare a request before it is their turn to send it, so that no place is held by what only gets ready.

It must never know what there is to prepare, nor the gate and the rate: `Pace` asks it how many, and tells whom.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable

MOST = 100
"""So many at most: what is prepared and never sent has to be looked for when the process dies."""
SMOOTHING = 0.1
LEAST_S = 0.001


class Ahead:
    """As many prepare beside those in flight as will find their turn when they are done: none where it is one at a
    time. `preparing` are those that do, or have and wait for their turn; `takes_s` is what it takes each of them.
    """

    def __init__(self) -> None:
        self.preparing = 0
        self.takes_s = 0.0
        self._answer_s = math.inf
        self._queue: deque[asyncio.Future[bool]] = deque()

    def answered(self, elapsed_s: float) -> None:
        """How long a request took: so long a place is held."""
        elapsed_s = max(LEAST_S, elapsed_s)
        known = self._answer_s < math.inf
        self._answer_s = self._answer_s + SMOOTHING * (elapsed_s - self._answer_s) if known else elapsed_s

    def beside(self, window: int) -> int:
        """How many more than the window may be in flight and preparing."""
        return min(MOST, math.ceil(window * self.takes_s / self._answer_s)) if window > 1 else 0

    @property
    def anybody(self) -> bool:
        """Whether somebody waits to prepare."""
        return bool(self._queue)

    def queue(self) -> asyncio.Future[bool]:
        """A turn, behind the others'. True when it has come, False where none will."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        return turn

    def over(self, turn: asyncio.Future[bool]) -> None:
        """Whoever had that turn prepares no more, or never did."""
        if turn in self._queue:
            self._queue.remove(turn)
        elif not turn.cancelled() and turn.result():
            self.preparing -= 1

    def let_in(self) -> None:
        """The first one may prepare."""
        turn = self._queue.popleft()
        if not turn.done():
            self.preparing += 1
            turn.set_result(True)

    def send_away(self) -> None:
        """Nobody is to prepare any more."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(False)


class Turn:
    """A turn to prepare: entering waits for it (False: none will come), leaving lets others move up. For one use.

    Nothing is done by one that is forgotten, as everything is where a loop has ended.
    """

    def __init__(self, ahead: Ahead, advance: Callable[[], None]) -> None:
        """`advance`: lets in whoever may."""
        self._ahead = ahead
        self._advance = advance
        self._turn: asyncio.Future[bool]

    async def __aenter__(self) -> bool:
        self._turn = self._ahead.queue()
        self._advance()
        try:
            return await self._turn
        except asyncio.CancelledError:
            self._over()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._over()

    def _over(self) -> None:
        self._ahead.over(self._turn)
        self._advance()
