"""Who was told what became of a row. It must never know how that was found out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from etl.ledger import RowKey
from etl.writer.rows import Delivered


@dataclass(slots=True)
class Told:
    """Who was told what: a row in doubt is told in its turn, and once more when it is known."""

    receive: Callable[[Delivered], None]
    waiting: set[RowKey] = field(default_factory=set)
    early: dict[RowKey, Delivered] = field(default_factory=dict)

    def in_turn(self, delivered: Delivered) -> None:
        if delivered.open:
            known = self.early.pop(delivered.key, None)
            if known is None:
                self.waiting.add(delivered.key)
            delivered = known or delivered
        self.receive(delivered)

    def known(self, delivered: Delivered) -> None:
        if delivered.key in self.waiting:
            self.waiting.remove(delivered.key)
            self.receive(delivered)
        else:
            self.early[delivered.key] = delivered
