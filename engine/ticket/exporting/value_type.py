"""The types in which a plan holds the weights that are not zero."""

from __future__ import annotations

from enum import Enum

import torch

from ticket.errors import UsageError


class ValueType(Enum):
    """Name a type by its word, code in the plan, torch type."""

    FP32 = ("fp32", 0, torch.float32)
    FP16 = ("fp16", 1, torch.float16)
    BF16 = ("bf16", 2, torch.bfloat16)

    def __init__(self, word: str, code: int, dtype: torch.dtype) -> None:
        self.word = word
        self.code = code
        self.dtype = dtype

    @property
    def size(self) -> int:
        """Return the bytes of one value."""
        return self.dtype.itemsize


def value_type(word: str) -> ValueType:
    """Return the type of that name; raises UsageError for another one."""
    for found in ValueType:
        if found.word == word:
            return found
    words = ", ".join(found.word for found in ValueType)
    raise UsageError(f"values '{word}' is not one of {words}")
