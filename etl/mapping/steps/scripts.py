"""Steps for written conversations: the persona's turns, the agent's lines, a transcript as messages.

They must never know which field a conversation is for.
"""

from functools import partial
from typing import Literal

import polars as pl

from etl.mapping.cells import transcripts, turns
from etl.mapping.cells.jsoncells import Mistake
from etl.mapping.cells.series import by_column
from etl.mapping.steps.step import TEXTS, Form, Operation, Step


class Turns(Step):
    """The persona's turns of a script, in order. `"Caller: Hi\\nAgent: Hello\\nCaller: Bye"` becomes `["Hi", "Bye"]`.

    From a JSON array (of texts, taken as they are; of `{role, content}`; of the API's own entries), one turn a line,
    ` | ` between turns, a numbered list, or ` / ` before labels. Labels are `Caller:`, `Customer:`, `User:` and the
    like in several languages, also `**Caller:**` and `[Caller]`. The agent's lines are left out, with a warning unless
    a field takes them with `agent_lines`. `[DTMF 123#]`, `<dtmf>1</dtmf>` and, as a whole turn, `press 1` are keys;
    `[silence]` is silence: entries of their own under contract 2026-10, a problem under 2025-10. A label nobody knows
    (`Anna:`) is a warning, and its line goes on with the line before.
    """

    step: Literal["turns"] = "turns"
    takes = frozenset(Form)
    gives = Form.LIST
    can_fail = True
    reads_json = True
    marks = True

    def operation(self, form: Form) -> Operation:
        """What is left out need not be said where another field takes it."""
        change = self._on_items if form is Form.LIST else self._on_text
        return Operation(
            change,
            self._explain,
            partial(turns.left_out, agent=True),
            left_to=("agent_lines", partial(turns.left_out, agent=False)),
        )

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, turns.persona_turns, TEXTS)

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, turns.read_turns, TEXTS)

    def _explain(self, found: str, /) -> Mistake:
        return turns.explain_turns(found)


class AgentLines(Step):
    """The agent's lines of a script. `"Caller: Hi\\nAgent: Hello\\nCaller: Bye"` becomes `["Hello"]`.

    For another field of the column that `turns` reads: `expected_behaviors: {from: Script, steps: [agent_lines]}`. A
    script in which no agent speaks counts as an empty cell.
    """

    step: Literal["agent_lines"] = "agent_lines"
    takes = frozenset(Form)
    gives = Form.LIST
    reads_json = True

    def operation(self, form: Form) -> Operation:
        """Where `turns` reads the same column, it says whose speaker is not known."""
        if form is Form.LIST:
            return Operation(self._on_items)
        return Operation(self._on_text, lost=turns.taken_for_others, left_to=("turns", _nothing))

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, turns.agent_lines, TEXTS)

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, turns.read_agent_lines, TEXTS)


class Transcript(Step):
    """A labelled conversation as a JSON array of messages. `"Caller: Hi / Agent: Hello"` becomes
    `[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]`.

    A line without a label goes on with the message before; one with a label nobody knows is a problem. A JSON array,
    and a text whose first line has no label, stay as they are. Rows whose input_type is TRANSCRIPT need no such step:
    it is done for them.
    """

    step: Literal["transcript"] = "transcript"
    can_fail = True
    reads_json = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, transcripts.as_messages, pl.String)

    def _explain(self, found: str, /) -> Mistake:
        return transcripts.explain(found)


def _nothing(cells: pl.Series) -> pl.Series:
    return pl.Series(cells.name, [None] * len(cells), dtype=pl.String)


UNMARKED = Operation(turns.unmarked)
"""Turns for a field that takes any texts: keys and silence as they were written."""
ENTRIES = Operation(lambda items: by_column(items, turns.as_entries, pl.String))
"""Turns for a field that takes keys and silence: a JSON array."""
SPEECH = Operation(lambda items: by_column(items, turns.as_speech, TEXTS), refused=turns.no_speech)
"""Turns for a field that takes speech only."""
