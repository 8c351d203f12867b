"""Reading values by annotation: the signature of a plugin, or the fields of a dataclass, is the schema.

PyYAML takes `1e-3` for text and a command line has nothing but text, so a number is read as what the
annotation says, wherever it came from.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ticket.steps import Steps


class SpokenError(ValueError):
    """Say by itself what is wrong, so that no field's name is put before it."""


@dataclass(frozen=True)
class Between:
    """Annotate a number with the range it must lie in; an `open` end is excluded."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def check(self, value: float) -> None:
        """Raise ValueError when `value` lies outside."""
        low = value > self.low if self.open_low else value >= self.low
        high = value < self.high if self.open_high else value <= self.high
        if not (low and high):
            left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
            raise ValueError(
                f"wants a number in {left}{self.low:g}, {self.high:g}{right}, got {value:g}"
            )


@typing.runtime_checkable
class Reader(typing.Protocol):
    """Annotate a value with its own way of being read."""

    def read(self, value: object) -> Any:
        """Return the value; raises ValueError saying what it wants."""


Positive = Annotated[float, Between(0, math.inf, open_low=True)]
NotNegative = Annotated[float, Between(0, math.inf)]
Count = Annotated[int, Between(1, math.inf)]
Share = Annotated[float, Between(0, 1, open_low=True, open_high=True)]


def read(value: object, annotation: Any) -> Any:
    """Return `value` as the annotation wants it; raises ValueError saying what it wants."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for mark in args[1:]:
            if isinstance(mark, Reader):
                return mark.read(value)
        number = read(value, args[0])
        for mark in args[1:]:
            if isinstance(mark, Between):
                mark.check(number)
        return number
    if origin in (Union, types.UnionType):
        return _read_union(value, args)
    if origin is Literal:
        if value not in args:
            raise ValueError(f"wants {_either(args)}, got {value!r}{closest(str(value), args)}")
        return value
    if origin in (tuple, list):
        return origin(read(v, args[0]) for v in _items(value))
    return _read_plain(value, annotation)


def _read_union(value: object, args: tuple[Any, ...]) -> Any:
    if type(None) in args and value in (None, "null", "none"):
        return None
    problems = []
    for arg in (a for a in args if a is not type(None)):
        try:
            return read(value, arg)
        except ValueError as problem:
            problems.append(problem)
    raise problems[0]


def _read_plain(value: object, annotation: Any) -> Any:
    if annotation is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise ValueError(f"wants true or false, got {value!r}")
    if annotation is int:
        _number(value, "a whole number")
        whole = Decimal(str(value).strip())  # a float holds whole numbers up to 2^53 only
        if whole != int(whole):
            raise ValueError(f"wants a whole number, got {value!r}")
        return int(whole)
    if annotation is float:
        return _number(value, "a number")
    if annotation is str:
        if not isinstance(value, str):
            raise ValueError(f"wants text, got {value!r}")
        return value
    if annotation is Steps:
        return value if isinstance(value, Steps) else Steps.parse(value)
    if isinstance(annotation, type) and not isinstance(value, annotation):
        raise ValueError(f"wants {annotation.__name__}, got {value!r}")
    return value


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"wants {what}, got {value!r}")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"wants {what}, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"wants {what}, got {value!r}")
    return number


def _items(value: object) -> list[object]:
    if isinstance(value, str):
        return [part.strip() for part in value.strip("[] ").split(",") if part.strip()]
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError(f"wants a list, got {value!r}")


def _either(args: tuple[Any, ...]) -> str:
    return (
        " or ".join([", ".join(map(str, args[:-1])), str(args[-1])]) if args[1:] else str(args[0])
    )


def closest(name: str, names: typing.Iterable[object]) -> str:
    """Return `; did you mean 'x'?` for the closest of `names`, or nothing."""
    close = get_close_matches(name, [str(n) for n in names], n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


_hints = functools.cache(functools.partial(typing.get_type_hints, include_extras=True))


def hints_of(thing: Callable[..., object]) -> Mapping[str, Any]:
    """Return the annotations of a function's parameters or a class's fields, evaluated once."""
    return _hints(thing)


def options_of(function: Callable[..., object]) -> dict[str, tuple[Any, Any]]:
    """List the options of a plugin: keyword-only parameter -> (annotation, default or `...`)."""
    hints = hints_of(function)
    return {
        p.name: (hints.get(p.name, object), ... if p.default is p.empty else p.default)
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }


def read_fields(
    given: Mapping[str, object], schema: Mapping[str, tuple[Any, Any]], owner: str, noun: str
) -> tuple[dict[str, Any], list[str]]:
    """Read `given` by `schema` (name -> annotation, default); return the values and every mistake."""
    values: dict[str, Any] = {}
    mistakes = []
    for name, value in given.items():
        if name not in schema:
            known = f"; it takes: {', '.join(schema)}" if schema else "; it takes none"
            mistakes.append(f"{owner} has no {noun} '{name}'{closest(name, schema) or known}")
            continue
        try:
            values[name] = read(value, schema[name][0])
        except SpokenError as problem:
            mistakes.append(f"{owner}: {problem}")
        except ValueError as problem:
            mistakes.append(f"{owner}: {name} {problem}")
    mistakes += [
        f"{owner} needs the {noun} '{name}'"
        for name, (_, default) in schema.items()
        if default is ... and name not in given
    ]
    return values, mistakes
