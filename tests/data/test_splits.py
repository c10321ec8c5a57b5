import pytest

from msw2.data.splits import by_list, by_tune, read_list, split_of
from msw2.data.store import StoreError


def _digest(fraction):
    return f"{int(fraction * 16**16):016x}" + "f" * 48


def _splits(*fractions):
    return by_tune([_digest(fraction) for fraction in fractions])


def test_thresholds_are_eighty_ten_ten():
    shares = [0.0, 0.5, 0.79, 0.81, 0.89, 0.91, 0.99]
    expected = ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    assert [split_of(_digest(share)) for share in shares] == expected


def test_songs_go_where_the_hash_of_their_tune_says():
    expected = ["validation", "train", "train", "test", "validation", "train"]
    assert _splits(0.85, 0.3, 0.1, 0.95, 0.85, 0.3) == expected


@pytest.mark.parametrize(
    "fractions", [(0.1, 0.2, 0.3), (0.95, 0.96, 0.97), (0.85, 0.86, 0.87, 0.88), (0.95, 0.1, 0.85)]
)
def test_three_tunes_fill_three_splits(fractions):
    assert set(_splits(*fractions)) == {"train", "validation", "test"}


def test_only_what_is_empty_is_filled_from_the_last_tune_that_can_be_spared():
    assert _splits(0.1, 0.4, 0.85, 0.3, 0.2) == ["train", "test", "validation", "train", "train"]
    assert _splits(0.1, 0.2, 0.85, 0.3, 0.95) == ["train", "train", "validation", "train", "test"]
    assert _splits(0.1, 0.2, 0.3, 0.85) == ["train", "train", "test", "validation"]


def test_a_tune_is_never_cut_to_fill_a_split():
    assert _splits(0.1, 0.3, 0.3, 0.3, 0.2) == ["train", "test", "test", "test", "validation"]
    assert _splits(0.4, 0.4, 0.4) == ["train"] * 3


def test_one_tune_is_for_training_and_none_is_none():
    assert _splits(0.95) == ["train"]
    assert _splits(0.95, 0.1) == ["test", "train"]
    assert _splits() == []


def test_a_list_has_the_last_word_and_the_others_train_unless_their_tune_is_held_out():
    listed = {"a": "test", "b": "train", "c": "validation", "d": "train", "absent": "test"}
    songs = {"a": "1", "b": "2", "c": "3", "d": "3", "e": "1", "f": "2", "g": "3", "h": "4"}
    assert by_list(list(songs), list(songs.values()), listed) == [
        *("test", "train", "validation", "train"),
        *("", "train", "", "train"),
    ]


def test_a_list_is_a_song_and_a_split_a_line(tmp_path):
    (tmp_path / "list").write_text("song,split\none,test\n\ntwo,train\n")
    assert list(read_list(tmp_path / "list").items()) == [("one", "test"), ("two", "train")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "begins with '', not with 'song,split'"),
        ("one\ntwo\n", "begins with 'one', not with 'song,split'"),
        ("song,split\n", "is empty"),
        (
            "song,split\none,tests\n",
            "has the line 'one,tests', not a song and one of train, validation, test",
        ),
        ("song,split\none\n", "has the line 'one', not a song"),
        ("song,split\none,test\none,train\n", "has one 2 times"),
        (b"song,split\n\xff,test\n", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "list").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StoreError, match=message):
        read_list(tmp_path / "list")
