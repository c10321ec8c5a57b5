"""MIDI to pianoroll and back, without loss on the grid.

Reading follows LPD: 4/4 from time zero, instruments merged into five families, drums as onsets.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import symusic  # reads a folder of MIDI files 15 times as fast as pretty_midi, and keeps times in whole ticks

from msw2.music import notes, performance
from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.tracks import DRUMS, TRACK_NAMES, TRACKS, Track, family_of, track_index
from msw2.system.files import replacing

MAX_FILE_BYTES = 8 * 2**20  # songs of the Lakh dataset stay well below
MAX_BARS = 4096  # over two hours at 120 beats a minute; 83 MB as a pianoroll
MIN_TEMPO, MAX_TEMPO = 10.0, 1000.0  # beats per minute
TICKS_PER_STEP = 40  # 480 ticks a beat at twelve steps a beat, what most sequencers use
END_MARK = "end"  # the marker that keeps trailing silence, which readers trim
DEFAULT_BEAT_MICROSECONDS = 500_000  # MIDI's own default: 120 beats a minute


class SongError(ValueError):
    """A file that is no usable song. The message is the reason, with a detail after a colon."""


@dataclasses.dataclass(frozen=True, eq=False)
class Song:
    """A song on the grid.

    Attributes:
        pianoroll: bool [step, pitch, track], whole bars; drums are onsets, one step long.
        tempo: beats per minute.
    """

    pianoroll: np.ndarray
    tempo: float


def read_song(source: str | os.PathLike | bytes, grid: Grid, *, strict: bool = True) -> Song:
    """Reads a Standard MIDI file.

    Onsets and ends are rounded to the nearest step (halves go up). A note sounds for at least one step.
    Notes of one pitch that touch or overlap become one, as in pypianoroll. The reader drops notes off the
    grid's pitches, instruments that LPD drops, and notes of no length. It keeps drum hits of no length. The
    song ends with the bar of its last note, or of a later marker "end" (`write_song` writes one). A file
    without a time signature is in 4/4, MIDI's default. A repeated 4/4 is allowed on a bar line. The tempo
    that lasts longest counts.

    Args:
        source: the file's path, or its content.
        grid: the grid to lay the notes on.
        strict: whether to refuse another meter than 4/4, and an absurd tempo. If not, a bar is four beats of the
            file from time zero, whatever its meter.

    Raises:
        SongError: if the file cannot be read, is not MIDI, is not in 4/4 from time zero, has no notes, or its
            length or tempo is absurd. The checks come before any allocation.
    """
    score = _parse(source if isinstance(source, bytes) else read_bytes(source, MAX_FILE_BYTES))
    if strict:
        _check_meter(score)
    played = [_quantised(track, score.ticks_per_quarter, grid) for track in score.tracks]
    last_step = max((int(ends.max()) for *_, ends in played if ends.size), default=0)
    last_step = max(last_step, _marked_end(score, grid))
    if last_step == 0:
        raise SongError("no notes on the grid's pitches in any of the five families")
    bars = -(-last_step // grid.steps)
    if bars > MAX_BARS:
        raise SongError(f"too long: {bars} bars, at most {MAX_BARS}")
    tempo = _longest_tempo(score, strict)

    pianoroll = notes.silence(bars, grid)
    for family, pitches, starts, ends in played:
        notes.draw(pianoroll[..., family], pitches, starts, starts + 1 if family == DRUMS else ends)
    return Song(pianoroll, tempo)


def read_velocities(content: bytes, grid: Grid, steps: int) -> np.ndarray:
    """Returns how loud the notes of a file begin. The pianoroll of `read_song` does not tell.

    Args:
        content: of a file that `read_song` reads.
        grid: the grid to lay the notes on.
        steps: length of its pianoroll.

    Returns:
        uint8 [step, pitch, track]: the velocity of the loudest note that begins in a cell, 1..127; 0 without one.

    Raises:
        SongError: if the content is not MIDI.
    """
    score = _parse(content)
    # A track in one piece of memory, as `notes.silence` has it.
    velocities = np.moveaxis(np.zeros((len(TRACKS), steps, grid.pitches), np.uint8), 0, -1)
    for track in score.tracks:
        family = family_of(track.program, track.is_drum)
        if family is None:
            continue
        events = track.notes.numpy()
        pitches = events["pitch"].astype(np.int64) - grid.lowest_pitch
        starts = notes.nearest_step(events["time"].astype(np.int64), score.ticks_per_quarter, grid)
        kept = (pitches >= 0) & (pitches < grid.pitches) & (starts >= 0) & (starts < steps)
        cells = velocities[..., family]
        np.maximum.at(cells, (starts[kept], pitches[kept]), events["velocity"][kept].astype(np.uint8))
    return velocities


def write_song(
    path: str | os.PathLike, pianoroll: np.ndarray, grid: Grid, tempo: float, *, flat: bool = False
) -> None:
    """Writes a pianoroll as a Standard MIDI file. The file appears whole or not at all.

    Args:
        path: where to write; missing folders are made.
        pianoroll: bool [step, pitch, track], at least one whole bar.
        grid: the grid of the pianoroll.
        tempo: beats per minute, 10..1000.
        flat: whether all notes are equally loud.

    Raises:
        ValueError: if the pianoroll does not fit the grid, or the tempo is out of range.
    """
    content = midi_bytes(pianoroll, grid, tempo, flat=flat)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def midi_bytes(
    pianoroll: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    flat: bool = False,
    tracks: Sequence[str] = TRACK_NAMES,
) -> bytes:
    """Returns a pianoroll as a Standard MIDI file: five tracks with LPD's programs, drums on channel 10.

    Consecutive sounding cells are one note. Each drum cell is a note. `performance.play` says how they are played.
    `read_song` gives back the very same pianoroll, with silent tracks and with leading and trailing silence. The
    tempo is rounded to whole microseconds a beat. The same input gives the same bytes.

    Args:
        pianoroll: bool [step, pitch, track], at least one whole bar.
        grid: the grid of the pianoroll.
        tempo: beats per minute, 10..1000.
        flat: whether all notes are equally loud.
        tracks: names of the tracks that are written. The file is equally long without the others.

    Raises:
        ValueError: if the pianoroll does not fit the grid, the tempo is out of range, or a track is unknown.
    """
    _check_writable(pianoroll, grid, tempo)
    score = symusic.Score(TICKS_PER_STEP * grid.beat_resolution)
    score.tempos.append(symusic.Tempo(0, mspq=round(60e6 / tempo), ttype="tick"))
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4, ttype="tick"))
    score.markers.append(symusic.TextMeta(len(pianoroll) * TICKS_PER_STEP, END_MARK, ttype="tick"))
    for name in tracks:
        index = track_index(name)
        score.tracks.append(_written(TRACKS[index], pianoroll[..., index], grid, flat))
    return score.dumps_midi()


def read_bytes(path: str | os.PathLike, max_bytes: int) -> bytes:
    """Returns a file's content.

    Raises:
        SongError: if it cannot be read or is larger than `max_bytes`.
    """
    try:
        size = os.stat(path).st_size
        if size > max_bytes:
            raise SongError(f"file too large: {size} bytes, at most {max_bytes}")
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise SongError(f"cannot be read: {error.strerror}") from error


def _parse(data: bytes) -> symusic.Score:
    """Returns the parsed file, in ticks."""
    if not data:
        raise SongError("empty file")
    if data[:4] != b"MThd":
        raise SongError("not a Standard MIDI file")
    if data[8:10] == b"\x00\x02":
        raise SongError("MIDI format 2: its tracks are songs of their own")
    try:
        score = symusic.Score.from_midi(data)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise SongError(f"damaged MIDI file: {' '.join(str(error).split())[:100]}") from error
    if score.ticks_per_quarter < 1:
        raise SongError(f"damaged MIDI file: {score.ticks_per_quarter} ticks a beat")
    return score


def _check_meter(score: symusic.Score) -> None:
    """Refuses what LPD's "cleansed" rule refuses. Repetitions of 4/4 are harmless and pass."""
    bar = BEATS_PER_BAR * score.ticks_per_quarter
    signatures = sorted((s.time, s.numerator, s.denominator) for s in score.time_signatures)
    for _, numerator, denominator in signatures:
        if (numerator, denominator) != (4, 4):
            raise SongError(f"not in 4/4 throughout: {numerator}/{denominator}")
    if signatures and signatures[0][0] != 0:
        raise SongError("first time signature after time zero")
    if any(time % bar for time, _, _ in signatures):
        raise SongError("time signature off the bar line")


def _quantised(track: symusic.core.TrackTick, ticks_per_beat: int, grid: Grid) -> tuple:
    """Returns (family, pitches, starts, ends): int64 [note], in rows and steps of the grid."""
    family = family_of(track.program, track.is_drum)
    events = track.notes.numpy()
    time, duration = events["time"].astype(np.int64), events["duration"].astype(np.int64)
    if time.size and (time.min() < 0 or duration.min() < 0):
        raise SongError("damaged MIDI file: times overflow")  # ticks beyond 32 bits wrap round
    pitches = events["pitch"].astype(np.int64) - grid.lowest_pitch
    kept = (
        (pitches >= 0)
        & (pitches < grid.pitches)
        & ((duration > 0) | (family == DRUMS))
        & (family is not None)
    )
    starts = notes.nearest_step(time[kept], ticks_per_beat, grid)
    ends = notes.nearest_step((time + duration)[kept], ticks_per_beat, grid)
    return family, pitches[kept], starts, np.maximum(ends, starts + 1)


def _marked_end(score: symusic.Score, grid: Grid) -> int:
    """Returns the step of the last marker "end", 0 without one."""
    ticks = max((marker.time for marker in score.markers if marker.text == END_MARK), default=0)
    return int(notes.nearest_step(np.int64(ticks), score.ticks_per_quarter, grid))


def _longest_tempo(score: symusic.Score, strict: bool) -> float:
    """Returns the tempo that is in force for the most ticks, in beats per minute; an absurd one only if not strict."""
    changes = sorted((max(change.time, 0), change.mspq) for change in score.tempos)
    lasting = {}
    times = [0, *(time for time, _ in changes), max(score.end(), 1)]
    beats = [DEFAULT_BEAT_MICROSECONDS, *(beat for _, beat in changes)]
    for beat, start, end in zip(beats, times[:-1], times[1:], strict=True):
        lasting[beat] = lasting.get(beat, 0) + max(end - start, 0)
    beat = max(lasting, key=lasting.get)
    if strict and not 60e6 / MAX_TEMPO <= beat <= 60e6 / MIN_TEMPO:
        raise SongError(f"absurd tempo: {beat} microseconds a beat")
    return 60e6 / max(beat, 1)


def _written(track: Track, cells: np.ndarray, grid: Grid, flat: bool) -> symusic.core.TrackTick:
    """Returns one track's notes, in ticks."""
    played = performance.play(cells, track.is_drum, grid, flat=flat)
    starts = played.starts * TICKS_PER_STEP
    ends = np.rint(played.ends * TICKS_PER_STEP)
    written = symusic.Track(track.name, track.program, track.is_drum, ttype="tick")
    written.notes = symusic.core.NoteTickList.from_numpy(
        starts.astype(np.int32),
        (ends - starts).astype(np.int32),
        (played.pitches + grid.lowest_pitch).astype(np.int8),
        played.velocities.astype(np.int8),
    )
    return written


def _check_writable(pianoroll: np.ndarray, grid: Grid, tempo: float) -> None:
    """Raises ValueError for what `write_song` cannot write so that it reads back the same."""
    expected = f"bool [steps, {grid.pitches}, {len(TRACKS)}] in whole bars of {grid.steps} steps"
    fits = (
        pianoroll.dtype == bool and pianoroll.ndim == 3 and pianoroll.shape[1:] == (grid.pitches, len(TRACKS))
    )
    if not fits or len(pianoroll) == 0 or len(pianoroll) % grid.steps:
        raise ValueError(f"pianoroll {pianoroll.dtype} {list(pianoroll.shape)} is not {expected}")
    if len(pianoroll) > MAX_BARS * grid.steps:
        raise ValueError(f"pianoroll of {len(pianoroll) // grid.steps} bars is longer than {MAX_BARS}")
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"tempo {tempo} is not in {MIN_TEMPO:g}..{MAX_TEMPO:g} beats per minute")
