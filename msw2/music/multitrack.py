"""Songs as pypianoroll's and pretty_midi's objects, and back.

pypianoroll is imported where it is used: it brings Matplotlib, and takes a second.
"""

import copy

import numpy as np

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.midi import MAX_BARS, MAX_TEMPO, MIN_TEMPO, SongError
from msw2.music.notes import silence
from msw2.music.performance import accents
from msw2.music.tracks import TRACKS, family_of

MIDI_PITCHES = 128
UNSTATED_TEMPO = 120.0  # quarter notes a minute, of a Multitrack that has none


def to_multitrack(song: np.ndarray, grid: Grid, tempo: float):
    """Returns a song as `pypianoroll.Multitrack`: five binary tracks of equal length, with LPD's programs.

    Args:
        song: bool [step, pitch, track], the five tracks.
        grid: where pitch 0 lies, and the resolution.
        tempo: quarter notes a minute, above 0.

    Raises:
        ValueError: if the shape does not fit the grid and the five tracks, or the tempo is not above 0.
    """
    import pypianoroll  # noqa: PLC0415

    if song.ndim != 3 or song.shape[1:] != (grid.pitches, len(TRACKS)):
        raise ValueError(
            f"a song of shape {song.shape} is not [step, {grid.pitches} pitches, {len(TRACKS)} tracks]"
        )
    if not tempo > 0:
        raise ValueError(f"tempo {tempo} is not above 0")
    above = MIDI_PITCHES - grid.lowest_pitch - grid.pitches
    tracks = [
        pypianoroll.BinaryTrack(
            name=track.name.capitalize(),
            program=track.program,
            is_drum=track.is_drum,
            pianoroll=np.pad(song[..., index].astype(bool), ((0, 0), (grid.lowest_pitch, above))),
        )
        for index, track in enumerate(TRACKS)
    ]
    return pypianoroll.Multitrack(
        name="",
        resolution=grid.beat_resolution,
        tempo=np.full(len(song), tempo, np.float64),
        downbeat=np.arange(len(song)) % grid.steps == 0,
        tracks=tracks,
    )


def from_multitrack(multitrack, grid: Grid) -> tuple[np.ndarray, float]:
    """Lays a `pypianoroll.Multitrack` on the grid.

    As MuseGAN did, every second step of LPD's 24 a beat is taken (on another resolution: every n-th, so that the
    grid's remain). Tracks of one family are merged. Left out are notes off the grid's pitches and instruments
    that LPD drops. LPD marks only the first downbeat, so the meter cannot be checked; where more downbeats are
    marked, they have to be whole bars apart.

    Args:
        multitrack: tracks of any kind and number; a value above 0 sounds.
        grid: the grid to lay the notes on.

    Returns:
        The song, bool [step, pitch, track], in whole bars; and its median tempo in beats a minute, 120 where the
        multitrack has none.

    Raises:
        SongError: if resolution, length, downbeats, tempo, a program or a pianoroll does not fit.
    """
    resolution, tracks = multitrack.resolution, multitrack.tracks
    if not isinstance(resolution, int) or resolution < 1 or resolution % grid.beat_resolution:
        raise SongError(
            f"resolution is no multiple of {grid.beat_resolution} steps a beat: {resolution!r}"[:100]
        )
    for index, track in enumerate(tracks):
        if not isinstance(track.program, int) or not 0 <= track.program < MIDI_PITCHES:
            raise SongError(f"track without a program in 0..127: track {index}")
        if track.pianoroll.ndim != 2 or track.pianoroll.shape[1] != MIDI_PITCHES:
            raise SongError(f"pianoroll is not [step, {MIDI_PITCHES}]: track {index} {track.pianoroll.shape}")
    bar, stride = BEATS_PER_BAR * resolution, resolution // grid.beat_resolution
    lowest = grid.lowest_pitch
    if multitrack.downbeat is not None and (np.flatnonzero(multitrack.downbeat) % bar).any():
        raise SongError("not in 4/4 throughout: downbeats are not four beats apart")
    length = max((len(track.pianoroll) for track in tracks), default=0)
    check_length(length, resolution)
    song = silence(-(-length // bar), grid)
    for track in tracks:
        if (family := family_of(track.program, bool(track.is_drum))) is not None:
            # A pitch after the other, as pypianoroll reads them: so the search is several times as fast.
            cells = np.ascontiguousarray(track.pianoroll[::stride, lowest : lowest + grid.pitches].T)
            found = np.flatnonzero(cells if cells.dtype == bool else cells > 0)
            pitches, steps = np.divmod(found, max(cells.shape[1], 1))
            song[steps, pitches, family] = True
    return song, _tempo(multitrack.tempo)


def check_length(steps: int, resolution: int) -> None:
    """Refuses songs without a step, and songs that are too long.

    Args:
        steps: of the longest track.
        resolution: steps a beat.

    Raises:
        SongError: for a song of no step, or of more than `MAX_BARS` bars.
    """
    if steps == 0:
        raise SongError("no notes in any track")
    if steps > MAX_BARS * BEATS_PER_BAR * resolution:
        raise SongError(f"too long: {steps // (BEATS_PER_BAR * resolution)} bars, at most {MAX_BARS}")


def to_pretty_midi(song: np.ndarray, grid: Grid, tempo: float):
    """Returns a song as `pretty_midi.PrettyMIDI`, by pypianoroll's conversion.

    Cells that sound one after another are one note, drums too. Silence at the end is lost. `midi.write_song` loses
    neither. Notes are accented as in `midi.write_song`.

    Args:
        song: bool [step, pitch, track], the five tracks.
        grid: where pitch 0 lies, and the resolution.
        tempo: quarter notes a minute, above 0.

    Raises:
        ValueError: if the shape does not fit the grid and the five tracks, or the tempo is not above 0.
    """
    midi = to_multitrack(song, grid, tempo).to_pretty_midi(default_tempo=tempo)
    steps_a_second = tempo / 60 * grid.beat_resolution
    for instrument in midi.instruments:
        starts = np.array([round(note.start * steps_a_second) for note in instrument.notes], np.int64)
        for note, velocity in zip(instrument.notes, accents(starts, grid).tolist(), strict=True):
            note.velocity = velocity
    return midi


def from_pretty_midi(midi, grid: Grid) -> tuple[np.ndarray, float]:
    """Lays a `pretty_midi.PrettyMIDI` on the grid, by pypianoroll's conversion.

    Starts and ends are rounded to the nearest step. A note that is repeated at once is parted from the one before
    it by a silent step. The song ends with the bar of its last note. `midi.read_song` reads files, 15 times as fast.

    Args:
        midi: in 4/4 from time zero. It is not changed.
        grid: the grid to lay the notes on.

    Returns:
        As `from_multitrack`.

    Raises:
        SongError: if it is not in 4/4, has no notes, is too long, or cannot be laid on beats.
    """
    import pypianoroll  # noqa: PLC0415

    for signature in midi.time_signature_changes:
        if (signature.numerator, signature.denominator) != (4, 4):
            raise SongError(f"not in 4/4 throughout: {signature.numerator}/{signature.denominator}")
        if midi.time_signature_changes[0].time != 0:
            raise SongError("first time signature after time zero")
    beats = -(-midi.time_to_tick(midi.get_end_time()) // midi.resolution)
    check_length(beats if any(each.notes for each in midi.instruments) else 0, resolution=1)
    midi = copy.deepcopy(midi)
    midi.instruments = [
        each for each in midi.instruments if each.notes
    ]  # pypianoroll stumbles over the others
    half_step = round(midi.resolution / (2 * grid.beat_resolution))
    for instrument in midi.instruments:
        for note in instrument.notes:  # pypianoroll rounds ends down
            note.end = midi.tick_to_time(int(midi.time_to_tick(note.end)) + half_step)
    try:
        # Of notes that overlap, `max` adds the velocities up, in eight bits; `sum` does not.
        multitrack = pypianoroll.from_pretty_midi(
            midi, resolution=grid.beat_resolution, mode="sum", algorithm="custom", first_beat_time=0.0
        )
    except (IndexError, ValueError) as error:
        raise SongError(f"cannot be laid on beats: {error}") from error
    last = max(int(track.pianoroll.any(axis=1).nonzero()[0].max(initial=-1)) for track in multitrack.tracks)
    for track in multitrack.tracks:
        track.pianoroll = track.pianoroll[: last + 1]
    return from_multitrack(multitrack, grid)


def _tempo(tempo: np.ndarray | None) -> float:
    """Returns the median tempo in beats per minute."""
    if tempo is None or not tempo.size:
        return UNSTATED_TEMPO
    median = float(np.median(tempo))
    if not MIN_TEMPO <= median <= MAX_TEMPO:
        raise SongError(f"absurd tempo: {median:g} beats a minute")
    return median
