import pytest

from msw2.benchmarks.rounds import (
    Contender,
    Ratio,
    Slice,
    Spread,
    alternate,
    next_amount,
    percentile,
    ratios,
)

OURS, STOCK, TORCH = (Contender(name, ({},), "bars") for name in ("ours", "stock", "torch"))


def test_contenders_take_turns_within_each_round():
    turns, told = [], []

    def run(contender):
        turns.append(contender.name)
        return Slice(float(len(turns)))

    slices = alternate((OURS, STOCK, TORCH), 3, run, told.append)
    assert turns == ["ours", "stock", "torch"] * 3
    assert told == [1, 2, 3]
    assert {name: [each.figure for each in turn] for name, turn in slices.items()} == {
        "ours": [1, 4, 7],
        "stock": [2, 5, 8],
        "torch": [3, 6, 9],
    }


def test_two_contenders_of_one_name_would_mix_their_figures():
    with pytest.raises(ValueError, match="two contenders of one name among ours, stock, ours"):
        alternate((OURS, STOCK, OURS), 1, lambda _: Slice(1.0))


def test_a_ratio_is_taken_within_the_round_and_its_median_is_not_that_of_the_medians():
    slices = {"a": [Slice(x) for x in (10.0, 30.0, 20.0)], "b": [Slice(x) for x in (10.0, 10.0, 5.0)]}
    values = ratios(Ratio("a / b", "a", "b"), slices)
    assert values == [1.0, 3.0, 4.0]
    assert Spread.of(values) == Spread(3.0, 1.0, 4.0)  # 20 / 10 would be 2
    assert ratios(Ratio("a / b", "a", "b", scale=0.5), slices) == [0.5, 1.5, 2.0]


def test_the_median_of_an_even_number_lies_between_the_middle_ones():
    assert Spread.of([4.0, 1.0, 2.0, 8.0]) == Spread(3.0, 1.0, 8.0)


@pytest.mark.parametrize(
    ("amount", "seconds", "expected"),
    [(10, 0.5, 20), (10, 4.0, 2), (10, 0.001, 80), (1, 100.0, 1), (3, 0.0, 24)],
)
def test_the_next_amount_takes_a_second_but_grows_at_most_eightfold(amount, seconds, expected):
    assert next_amount(amount, seconds, 1.0) == expected


def test_percentiles_are_values_that_were_seen():
    values = [float(x) for x in range(1, 101)]
    assert percentile(values, 0.95) == 95
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.0) == 1
    assert percentile([3.0], 0.95) == 3
    assert percentile([2.0, 1.0], 0.95) == 2
