"""Music for a listening test: held-out songs, a run's music, others' MIDI files."""

import numpy as np
import pytest

from msw2.data.store import Store, StoredSong
from msw2.inference.listening import excerpts, folder_clips, generated
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import join_phrases
from msw2.page.listening_key import ListeningError

GRID = Grid()


class FewSongs(Store):
    """A store whose songs are given: first bars of the phrases by name; a phrase's bar sounds at its pitch."""

    def songs(self, split):
        assert split == "test"
        for index, (name, bars) in enumerate(self.manifest.items()):
            phrases = np.zeros((len(bars), 4, 48, 84, 5), bool)
            for row, bar in enumerate(bars):
                phrases[row, :, :, bar, 0] = True
            yield StoredSong(name, np.array(bars, np.int64), phrases, 90.0 + index)


# The second song has a gap, and the third overlaps; the fourth's phrases are not in the order of their bars.
STORE = FewSongs(None, GRID, {"a": [0, 4, 8], "b": [0, 5, 10], "c": [0, 2, 4, 9], "d": [12, 8, 30], "e": [3]})


def test_an_excerpt_is_of_phrases_that_follow_one_another():
    for seed in range(12):
        found = excerpts(STORE, 9, 2, seed=seed)
        assert sorted(excerpt.song for excerpt in found) == ["a", "c", "d"]
        for excerpt in found:
            pitches = excerpt.phrases[..., 0].any(axis=(1, 2)).argmax(axis=1)
            assert list(pitches) == [excerpt.bar, excerpt.bar + 4]
            assert excerpt.bar in {"a": [0, 4], "c": [0], "d": [8]}[excerpt.song]
            assert excerpt.tempo == 90.0 + "abcde".index(excerpt.song)
            clip = excerpt.clip()
            assert clip.pianoroll.shape == (8 * 48, 84, 5)
            assert clip.source == f"song {excerpt.song} of the store, from bar {excerpt.bar + 1}"


def test_the_seed_chooses_songs_and_places_and_few_stay_few():
    chosen = [tuple((e.song, e.bar) for e in excerpts(STORE, 2, 2, seed=seed)) for seed in range(12)]
    assert {song for pair in chosen for song, _ in pair} == {"a", "c", "d"}
    assert {bar for pair in chosen for song, bar in pair if song == "a"} == {0, 4}
    assert all(len(pair) == 2 for pair in chosen)
    # More songs do not change which come first.
    assert [e.song for e in excerpts(STORE, 5, 1, seed=0)][:2] == [
        e.song for e in excerpts(STORE, 2, 1, seed=0)
    ]


@pytest.fixture(scope="module")
def sampler(smoke_run, smoke_sandwich):
    sandwich, prior = smoke_sandwich
    return Sampler(sandwich, smoke_run.config, prior)


def test_restored_is_what_the_run_makes_of_the_same_phrases(sampler):
    excerpt = excerpts(STORE, 1, 2, seed=0)[0]
    clip = excerpt.restored(sampler)
    np.testing.assert_array_equal(clip.pianoroll, join_phrases(sampler.restore(excerpt.phrases)))
    assert (clip.tempo, clip.source) == (excerpt.tempo, excerpt.clip().source)


@pytest.mark.parametrize("refined", [True, False])
def test_generated_clips_have_the_tempos_and_name_their_seeds(sampler, refined):
    clips = generated(sampler, [90.0, 77.0, 50.0], 2, seed=40, refined=refined)
    assert [clip.tempo for clip in clips] == [90.0, 77.0, 50.0]
    seeds = [int(word) for clip in clips for word in clip.source.removeprefix("seeds ").split(", ")]
    assert len(set(seeds)) == 6
    assert min(seeds) >= 40
    for clip, first in zip(clips, seeds[::2], strict=True):
        alone = sampler.generate(1, seed=first, temperature=1.0, refined=refined)
        np.testing.assert_array_equal(clip.pianoroll[: 4 * 48], join_phrases(alone))


def test_files_begin_where_they_sound(tmp_path):
    song = np.zeros((12 * 48, 84, 5), bool)
    song[2 * 48 + 5 :, 40, 1] = True  # silent for two bars and five steps
    (tmp_path / "deep").mkdir()
    write_song(tmp_path / "deep" / "a.MID", song, GRID, 77)
    write_song(tmp_path / "b.midi", song[: 4 * 48], GRID, 88)
    (tmp_path / "c.mid").write_bytes(b"RIFF")
    (tmp_path / "notes.txt").write_text("not music")
    write_song(tmp_path / ".hidden.mid", song, GRID, 99)
    (tmp_path / "d.mid").mkdir()
    clips, left_out = folder_clips(tmp_path, GRID, 2, 2, seed=0)
    found = {clip.source: clip for clip in clips}
    np.testing.assert_array_equal(found["deep/a.MID"].pianoroll, song[2 * 48 : 10 * 48])
    np.testing.assert_array_equal(found["b.midi"].pianoroll, song[2 * 48 : 4 * 48])
    assert found["deep/a.MID"].tempo == pytest.approx(77, abs=0.01)
    assert left_out in ([], [f"{tmp_path / 'c.mid'}: not a Standard MIDI file"])
    with pytest.raises(ListeningError) as caught:
        folder_clips(tmp_path, GRID, 3, 2, seed=0)
    assert str(caught.value) == (
        f"folder {tmp_path} has 2 MIDI files that can be read, and 3 are needed: give fewer --clips"
    )


def test_names_that_are_no_text_can_be_printed_and_saved(tmp_path):
    song = np.zeros((48, 84, 5), bool)
    song[:, 40, 1] = True
    write_song(tmp_path / "a\udcff.mid", song, GRID, 100)
    (clip,), _ = folder_clips(tmp_path, GRID, 1, 1, seed=0)
    assert clip.source == "a?.mid"
    (tmp_path / "a\udcff.mid").write_bytes(b"RIFF")
    write_song(tmp_path / "b.mid", song, GRID, 100)
    left_out = [
        sentence for seed in range(9) for sentence in folder_clips(tmp_path, GRID, 1, 1, seed=seed)[1]
    ]
    assert set(left_out) == {f"{tmp_path / 'a?.mid'}: not a Standard MIDI file"}


def test_the_seed_chooses_files(tmp_path):
    song = np.zeros((4 * 48, 84, 5), bool)
    song[:, 40, 1] = True
    for name in "abcdef":
        write_song(tmp_path / f"{name}.mid", song, GRID, 100)
    chosen = {tuple(clip.source for clip in folder_clips(tmp_path, GRID, 2, 1, seed=s)[0]) for s in range(8)}
    assert len(chosen) > 3


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ListeningError, match=r"none does not exist$"):
        folder_clips(tmp_path / "none", GRID, 1, 1, seed=0)
