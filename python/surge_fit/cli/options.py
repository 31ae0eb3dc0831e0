"""Options as values: a frozen dataclass declares them, and one decorator gives them to a command."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import field, fields
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

Command = TypeVar("Command", bound=Callable[..., Any])


def option(*flags: str, default: object = None, **attributes: Any) -> Any:
    """Declare an option of the command line as a field of a dataclass.

    Parameters
    ----------
    *flags : str
        As for `click.option`; the field's name with dashes where there are none.
    default : object
        Of the field and of the option.
    **attributes
        As for `click.option`.
    """
    return field(default=default, metadata={"flags": flags, "attributes": attributes})


def takes(value: type, name: str) -> Callable[[Command], Command]:
    """Make a decorator that gives a command every option a dataclass declares.

    Parameters
    ----------
    value : type
        A dataclass whose fields are made by `option`.
    name : str
        The argument by which the command receives the dataclass, in place of one argument for each option.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_value(**given: Any) -> Any:
            own = {one.name: given.pop(one.name) for one in fields(value)}
            return command(**given, **{name: value(**own)})

        decorated: Any = with_value
        for one in reversed(fields(value)):
            flags = one.metadata["flags"] or (f"--{one.name.replace('_', '-')}",)
            attributes = {"default": one.default, **one.metadata["attributes"]}
            decorated = click.option(one.name, *flags, **attributes)(decorated)
        return cast("Command", decorated)

    return decorate


def options_given() -> dict[str, str]:
    """Find what was written on the command line: the flag of each option, by the name of its argument."""
    context = click.get_current_context()
    return {
        parameter.name: max(parameter.opts, key=len)
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        and parameter.name is not None
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    }
