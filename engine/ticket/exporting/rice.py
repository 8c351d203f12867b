"""Rice codes of where the nonzeros are: gaps in unary above k bits, k bits below.

The code of a gap (zeros since the nonzero before) is gap >> k zero bits, a one bit, then the k low
bits of the gap, lowest first; bits fill each byte from its lowest. k = 0 is the bitmap without its
trailing zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ticket.errors import TicketError

LARGEST_K = 24
Positions = npt.NDArray[np.int64]


def encode(positions: Positions) -> tuple[int, bytes]:
    """Return (k, stream) for ascending positions, by the k of fewest bits; of several the smallest."""
    gaps = np.diff(positions, prepend=-1) - 1
    k = best_k(gaps)
    lengths = (gaps >> k) + 1 + k
    ends = np.cumsum(lengths)
    bits = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    ones = ends - 1 - k
    bits[ones] = 1
    for low in range(k):
        bits[ones + 1 + low] = (gaps >> low) & 1
    return k, np.packbits(bits, bitorder="little").tobytes()


def best_k(gaps: Positions) -> int:
    """Return the k that makes sum(gap >> k) + count * (k + 1) smallest."""
    return min(range(LARGEST_K + 1), key=lambda k: int((gaps >> k).sum()) + len(gaps) * k)


def decode(stream: bytes, k: int, count: int, total: int) -> Positions:
    """Return the `count` positions below `total` that a stream holds.

    Raises TicketError when the stream ends early, goes on, or leaves the range.
    """
    bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8), bitorder="little")
    ones = _terminators(np.flatnonzero(bits), k, count)
    if len(ones) < count or (count and ones[-1] + k >= len(bits)):
        raise TicketError("the stream of positions ends before the last nonzero")
    end = int(ones[-1]) + 1 + k if count else 0
    if len(bits) - end >= 8 or bits[end:].any():
        raise TicketError("the stream of positions goes on after the last nonzero")
    starts = np.concatenate(([0], ones[:-1] + 1 + k))[:count]
    gaps = (ones - starts) << k
    for low in range(k):
        gaps |= bits[ones + 1 + low].astype(np.int64) << low
    # Each summand is below 2^24 x bits of the stream, so that the sum cannot wrap around.
    positions = np.cumsum(gaps + 1) - 1
    if count and positions[-1] >= total:
        raise TicketError("a nonzero lies outside the weights")
    return positions.astype(np.int64)


def _terminators(ones: npt.NDArray[Any], k: int, count: int) -> Positions:
    """Return the places of the one bits that end the unary parts, among all one bits."""
    if k == 0:
        # Every one bit ends a code. One too many is left for the check of what goes on.
        return ones[:count].astype(np.int64)
    # From each one bit, were it such an end: which is the next end?
    following = np.searchsorted(ones, ones + 1 + k).tolist()
    chosen: list[int] = []
    at = 0
    while len(chosen) < count and at < len(following):
        chosen.append(at)
        at = following[at]
    return ones[chosen].astype(np.int64)
