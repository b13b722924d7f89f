"""How options become small values, and reach what does the work. It must never know any option."""

import dataclasses
import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

import rich_click as click

Command = Callable[..., Any]


class Named(click.Choice[str]):
    """One of a few names; a wrong one gets the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What is said of a name that is none of them."""
        from difflib import get_close_matches

        near = get_close_matches(str(value), self.choices, n=1)
        return f"{super().get_invalid_choice_message(value, ctx)}{f' Did you mean {near[0]}?' if near else ''}"


def gathered(name: str, kind: type, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Options whose values reach the command as one argument `name`, an instance of the dataclass `kind`."""
    own = [field.name for field in dataclasses.fields(kind)]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def gather(*positional: Any, **flags: Any) -> Any:
            flags[name] = kind(**{field: flags.pop(field) for field in own})
            return command(*positional, **flags)

        for option in reversed(options):
            option(gather)
        return gather

    return decorate


def done_in(module: str, function: str = "run") -> Callable[[Command], Command]:
    """A command whose work another module does, which is loaded when the command is run: a help needs none of it.

    The function of that module takes the flags by their names, and its answer is the exit code.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def work(*positional: Any, **flags: Any) -> Any:
            return getattr(import_module(module), function)(*positional, **flags)

        return work

    return decorate
