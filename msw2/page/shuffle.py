"""The order of the clips, a different one for each listener.

`assets/listening_order.js` has the same function. A test compares the two.
"""

FNV_OFFSET, FNV_PRIME = 2166136261, 16777619  # the hash FNV-1a (Fowler, Noll, Vo), of 32 bits
WARM_UP = 16  # draws that are thrown away: the first ones of similar names are alike


def listening_order(seed: int, listener: str, count: int) -> list[int]:
    """Returns a permutation that depends on the seed and the listener's name alone.

    The generator is xorshift32 (Marsaglia 2003), the shuffle that of Fisher and Yates.

    Args:
        seed: of the test.
        listener: name or code as in the answers.
        count: of clips.
    """
    state = FNV_OFFSET
    for byte in f"{seed}:{listener}".encode():
        state = ((state ^ byte) * FNV_PRIME) % 2**32
    state = state or 1  # xorshift stays at 0
    draws = _xorshift(state)
    for _ in range(WARM_UP):
        next(draws)
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = next(draws) * (last + 1) >> 32
        order[last], order[other] = order[other], order[last]
    return order


def _xorshift(state: int):
    """Yields whole numbers in 1..2^32 - 1."""
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state
