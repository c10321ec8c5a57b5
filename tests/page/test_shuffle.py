"""The order of a listener's clips; tests/browser compares the page's own function with these values."""

import numpy as np
import pytest

from msw2.page.shuffle import listening_order


@pytest.mark.parametrize(
    ("seed", "listener", "order"),
    [
        (0, "L1", [3, 2, 6, 0, 5, 4, 1]),
        (3, "Zoë 音", [2, 5, 0, 8, 6, 1, 4, 3, 7]),
        (0, "", [0]),
        (5, "x", []),
    ],
)
def test_it_is_what_it_was_when_answers_were_given(seed, listener, order):
    assert listening_order(seed, listener, len(order)) == order


def test_it_is_xorshift_from_a_hash_as_published():
    # FNV-1a of "0:" + "L1" by NumPy's whole numbers, then xorshift32 by Marsaglia's triple 13, 17, 5.
    with np.errstate(over="ignore"):
        state = np.uint32(2166136261)
        for byte in b"0:L1":
            state = (state ^ np.uint32(byte)) * np.uint32(16777619)
        draws = []
        for _ in range(16 + 6):
            for shift in (13, -17, 5):
                moved = state << np.uint32(shift) if shift > 0 else state >> np.uint32(-shift)
                state = state ^ moved
            draws.append(int(state))
    order = list("abcdefg")
    for last, draw in zip(range(6, 0, -1), draws[16:], strict=True):
        other = int(draw / 2**32 * (last + 1))
        order[last], order[other] = order[other], order[last]
    assert "".join(order) == "".join("abcdefg"[index] for index in listening_order(0, "L1", 7))


def test_every_clip_comes_at_every_place_alike():
    orders = np.array([listening_order(2, f"L{index}", 5) for index in range(2000)])
    assert (np.sort(orders) == np.arange(5)).all()
    counts = np.array([np.bincount(orders[:, place], minlength=5) for place in range(5)])
    assert abs(counts - 400).max() < 80  # 4.5 deviations


def test_seed_and_listener_both_matter():
    assert listening_order(1, "L1", 12) != listening_order(2, "L1", 12)
    assert len({tuple(listening_order(1, f"L{index:02}", 12)) for index in range(13)}) == 13
