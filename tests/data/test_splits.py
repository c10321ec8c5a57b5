import pytest

from msw2.data.song_files import Outcome
from msw2.data.splits import assigned, read_test_songs, split_of, with_test_songs
from msw2.data.store import StoreError


def _song(fraction):
    return Outcome(f"{fraction}", f"{int(fraction * 16**16):016x}" + "f" * 48)


def _splits(*fractions):
    return [split for split, _ in assigned(_song(fraction) for fraction in fractions)]


def test_thresholds_are_eighty_ten_ten():
    shares = [0.0, 0.5, 0.79, 0.81, 0.89, 0.91, 0.99]
    expected = ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    assert [split_of(_song(share).digest) for share in shares] == expected


def test_songs_stay_in_order_and_keep_their_splits_where_none_is_empty():
    fractions = [0.1, 0.85, 0.3, 0.95, 0.86, 0.2, 0.7]
    found = list(assigned(_song(fraction) for fraction in fractions))
    assert [song.name for _, song in found] == [str(fraction) for fraction in fractions]
    assert [split for split, _ in found] == [split_of(song.digest) for _, song in found]


@pytest.mark.parametrize(
    "fractions", [(0.1, 0.2, 0.3), (0.95, 0.96, 0.97), (0.85, 0.86, 0.87, 0.88), (0.95, 0.1, 0.85)]
)
def test_three_songs_fill_three_splits(fractions):
    assert set(_splits(*fractions)) == {"train", "validation", "test"}


def test_only_what_is_empty_is_filled():
    assert _splits(0.1, 0.2, 0.85, 0.3, 0.4) == ["train", "train", "validation", "train", "test"]
    assert _splits(0.1, 0.2, 0.85, 0.3, 0.95) == ["train", "train", "validation", "train", "test"]
    assert _splits(0.1, 0.2, 0.3, 0.85) == ["train", "train", "test", "validation"]


def test_one_song_is_for_training_and_none_is_none():
    assert _splits(0.95) == ["train"]
    assert _splits(0.95, 0.1)[0] == "train"
    assert _splits() == []


def test_listed_songs_are_the_test_split_and_the_others_keep_to_their_hash():
    songs = [_song(fraction) for fraction in (0.1, 0.85, 0.95, 0.2, 0.86)]
    named = [Outcome(f"deep/er/{name}.mid", song.digest) for name, song in zip("abcde", songs, strict=True)]
    found = list(with_test_songs(named, {"a", "e", "absent"}))
    assert [split for split, _ in found] == ["test", "validation", "train", "train", "test"]
    assert [song for _, song in found] == named


def test_a_list_of_test_songs_is_a_name_a_line(tmp_path):
    (tmp_path / "list").write_text("one\n\ntwo\n")
    assert read_test_songs(tmp_path / "list") == {"one", "two"}
    (tmp_path / "list").write_text("\n")
    with pytest.raises(StoreError, match="is empty"):
        read_test_songs(tmp_path / "list")
    with pytest.raises(StoreError, match="cannot be read"):
        read_test_songs(tmp_path / "none")
