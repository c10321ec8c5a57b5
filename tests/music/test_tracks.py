import pytest

from msw2.music.tracks import DRUMS, TRACK_NAMES, TRACKS, family_of, track_index


def test_tracks_are_those_of_lpd_in_model_order():
    assert [(track.name, track.program, track.is_drum) for track in TRACKS] == [
        ("drums", 0, True),
        ("piano", 0, False),
        ("guitar", 24, False),
        ("bass", 32, False),
        ("strings", 48, False),
    ]
    assert DRUMS == 0


def test_track_index_is_the_position_on_the_last_axis():
    assert [track_index(name) for name in TRACK_NAMES] == [0, 1, 2, 3, 4]


def test_unknown_track_is_refused_with_the_names_that_exist():
    with pytest.raises(ValueError, match=r"^track 'drum' is not one of drums, piano, guitar, bass, strings$"):
        track_index("drum")


@pytest.mark.parametrize(
    ("programs", "family"),
    [
        (range(0, 8), "piano"),
        (range(8, 24), "strings"),
        (range(24, 32), "guitar"),
        (range(32, 40), "bass"),
        (range(40, 96), "strings"),
        (range(96, 104), None),
        (range(104, 112), "strings"),
        (range(112, 128), None),
    ],
)
def test_every_program_belongs_to_lpds_family(programs, family):
    expected = None if family is None else TRACK_NAMES.index(family)
    assert {family_of(program, is_drum=False) for program in programs} == {expected}


def test_drums_are_drums_whatever_their_program():
    assert {family_of(program, is_drum=True) for program in range(128)} == {DRUMS}
