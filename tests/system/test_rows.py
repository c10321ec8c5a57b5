import numpy as np
import pytest

from msw2.system.rows import RowFile


def test_rows_come_back_by_their_numbers_in_any_order():
    rows = np.arange(5 * 2 * 3, dtype=np.float32).reshape(5, 2, 3)
    file = RowFile(5, (2, 3))
    file.write(3, rows[3:])
    file.write(0, rows[:2])
    rows[2] = 0  # never written
    assert len(file) == 5
    assert np.array_equal(file.read(np.array([4, 0, 0, 2])), rows[[4, 0, 0, 2]])
    assert file.read(np.array([], int)).shape == (0, 2, 3)
    assert [len(block) for block in file.blocks(2)] == [2, 2, 1]
    assert np.array_equal(np.concatenate(list(file.blocks(2, end=3))), rows[:3])


def test_what_does_not_fit_is_refused():
    file = RowFile(4, (3,))
    with pytest.raises(ValueError, match=r"^rows of shape \(2, 3\) from 3 on do not fit into \(4, 3\)$"):
        file.write(3, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"^rows of shape \(1, 2\) from 0 on do not fit into \(4, 3\)$"):
        file.write(0, np.zeros((1, 2)))
    for row in (4, -1):
        with pytest.raises(IndexError, match=rf"^row {row} is not one of 4$"):
            file.read(np.array([row]))
