"""Options of a transform that may differ from stage to stage, as files and command lines write them.

order: append
order: {stage2: interpolate}
units: "stage2: 0 1 1 2; stage3: 0 1"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ticket.values import read

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True)
class PerStage:
    """Annotate a word that all stages share, or one for some stages: `{stage2: last}`.

    `words` is a Literal. A stage that is not named, or that names the `default`, has the default.
    """

    words: Any
    default: str

    def read(self, value: object) -> str | dict[str, str]:
        """Return a word, or the stages with other words than the default's."""
        stages = _by_stage(value)
        if stages is None:
            return str(read(value, self.words))
        kept: dict[str, str] = {}
        for stage, word in stages.items():
            try:
                kept[stage] = str(read(word, self.words))
            except ValueError as problem:
                raise ValueError(f"of {stage} {problem}") from None
        return {s: w for s, w in kept.items() if w != self.default} or self.default


@dataclass(frozen=True)
class UnitLists:
    """Annotate lists of units by stage: `stage2: 0 1 1 2`, or `{stage2: [0, 1, 1, 2]}`."""

    def read(self, value: object) -> dict[str, tuple[int, ...]] | None:
        """Return the lists, None where there is none; each is checked as far as it says by itself."""
        if value in (None, "null", "none"):
            return None
        stages = _by_stage(value)
        if stages is None:
            raise ValueError(f"wants lists by stage, such as 'stage2: 0 1 1 2', got {value!r}")
        return {stage: _units(stage, given) for stage, given in stages.items()} or None


def of_stage(option: Word | Mapping[str, Word], stage: str, default: Word) -> Word:
    """Return the word that a stage has."""
    return option.get(stage, default) if isinstance(option, Mapping) else option


def _by_stage(value: object) -> dict[str, object] | None:
    """Return what `value` says of each stage; None where it is not told by stage."""
    if isinstance(value, Mapping):
        return {str(stage): told for stage, told in value.items()}
    if not isinstance(value, str) or ":" not in value:
        return None
    stages: dict[str, object] = {}
    for part in value.strip().strip(";").split(";"):
        stage, colon, told = (text.strip() for text in part.partition(":"))
        if not (stage and colon and told):
            raise ValueError(f"wants 'stage: ...; stage: ...', got {value!r}")
        if stage in stages:
            raise ValueError(f"names {stage} twice: {value!r}")
        stages[stage] = told
    return stages


def _units(stage: str, given: object) -> tuple[int, ...]:
    items: Sequence[object]
    if isinstance(given, str):
        items = given.strip("[]() ").replace(",", " ").split()
    elif isinstance(given, list | tuple):
        items = given
    else:  # YAML takes a list of one for a number
        items = [given]
    try:
        units = tuple(int(read(item, int)) for item in items)
    except ValueError:
        raise ValueError(
            f"of {stage} wants numbers of units, such as 0 1 1 2, got {given!r}"
        ) from None
    if units[:1] != (0,):
        raise ValueError(f"of {stage} begins with unit 0, which is invariant, got {given!r}")
    if 0 in units[1:]:
        raise ValueError(f"of {stage} repeats unit 0, which is invariant, got {given!r}")
    if low := [unit for unit in units if unit < 0]:
        raise ValueError(f"of {stage} names unit {low[0]}; units are counted from 0")
    return units
