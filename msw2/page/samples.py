"""The instruments of the page: short sounds of the soundfont that the browser plays at other pitches.

A pitched track has a sound every `SPACING` semitones, where the songs have notes. The browser plays each note with the
nearest one, at most two semitones away. Drums have a sound for every note in use.
"""

import dataclasses
import os
from collections.abc import Collection, Sequence

import numpy as np
import symusic

from msw2.music.tracks import DRUMS, TRACK_NAMES, TRACKS
from msw2.sound.synth import RATE, synthesise

VELOCITY = 100  # of the sounds; softer and louder notes are scaled, as the renderer scales them
SPACING = 4  # semitones
SUSTAINED = frozenset({"strings"})  # these hold a note as long as it lasts; the others decay by themselves
TICKS_PER_SECOND = 480

# Seconds. Notes of the others have lost 25 dB or more after that time.
HELD, DRUM_HELD, GAP = 3.5, 0.1, 2.0
LONGEST, FADE = 2.5, 0.3
LOOP_START, SHORTEST_LOOP, LONGEST_LOOP, CROSSFADE = 0.8, 0.7, 1.4, 0.25
AFTER_LOOP = 0.02  # goes on behind the loop, so that the codec sees no edge at its end

QUIET = 10 ** (-50 / 20)  # of the peak: a decaying sound ends where it stays below
STARTED = 10 ** (-60 / 20)  # of the peak: a sound starts where it first exceeds
BEFORE_START = 16  # frames
PEAK = 0.9  # of a track's loudest sound: the codec has a floor
BLOCK = 480  # frames, in which levels are measured


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sound of a track.

    Attributes:
        track: index of the track.
        pitch: MIDI number at which it was recorded.
        start: first frame in the recording of all sounds.
        frames: its length.
        loop_start: frame, counted from `start`, to go on from when `loop_end` is reached.
        loop_end: 0 where the sound decays by itself and has no loop.
    """

    track: int
    pitch: int
    start: int
    frames: int
    loop_start: int = 0
    loop_end: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """All sounds one after another.

    Attributes:
        sound: float32 [frame], -1..1, `RATE` frames a second.
        samples: where each lies in it.
        levels: a track's factor from `sound` to what the renderer made, float [track]; 0: no sounds.
    """

    sound: np.ndarray
    samples: tuple[Sample, ...]
    levels: tuple[float, ...]


def sampled_pitches(used: Collection[int], is_drum: bool) -> list[int]:
    """Returns the MIDI pitches to record, ascending, for the MIDI pitches that a track plays."""
    if is_drum:
        return sorted(used)
    # The middle of each group of SPACING pitches; a group is recorded if it has a note. 126 is the last middle.
    return sorted({pitch - pitch % SPACING + SPACING // 2 for pitch in used})


def record(used: Sequence[Collection[int]], soundfont: str | os.PathLike | None = None) -> Recording:
    """Records the sounds that songs need.

    Args:
        used: for each track, the MIDI pitches that it plays anywhere.
        soundfont: a SoundFont 2 file; None: the one of `sound.synth`.

    Raises:
        SoundError: if the soundfont cannot be read or played.
    """
    pieces, samples, levels, at = [], [], [], 0
    for track, pitches in enumerate(used):
        made = _track_sounds(track, sampled_pitches(pitches, track == DRUMS), soundfont)
        peak = max((float(np.abs(sound).max()) for _, sound, _ in made), default=0.0)
        levels.append(peak / PEAK)
        for pitch, sound, (loop_start, loop_end) in made:
            samples.append(Sample(track, pitch, at, len(sound), loop_start, loop_end))
            # A little silence after each: the codec smears a sound over its edge.
            pieces += [sound * np.float32(PEAK / max(peak, 1e-9)), np.zeros(BLOCK, np.float32)]
            at += len(sound) + BLOCK
    sound = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return Recording(sound, tuple(samples), tuple(levels))


def _track_sounds(track: int, pitches: Sequence[int], soundfont: str | os.PathLike | None) -> list[tuple]:
    """Returns (pitch, float32 [frame], (loop start, loop end)) for each pitch."""
    if not pitches:
        return []
    held = DRUM_HELD if track == DRUMS else HELD
    each = held + GAP
    played = _played(track, pitches, held, each)
    sound = mono(synthesise(played, soundfont))
    found = []
    for index, pitch in enumerate(pitches):
        note = sound[round(index * each * RATE) : round((index + 1) * each * RATE)]
        if TRACK_NAMES[track] in SUSTAINED:
            looped, loop = looped_sound(note[_start(note) : round(HELD * RATE)])
            found.append((pitch, looped, loop))
        else:
            found.append((pitch, _decayed(note[_start(note) :]), (0, 0)))
    return found


def mono(sound: np.ndarray) -> np.ndarray:
    """Returns the mean of two channels, float32 [frame], with their power: unlike channels would lose half of it."""
    mean = sound.mean(axis=1, dtype=np.float32)
    power = float(np.mean(np.square(mean), dtype=np.float64))
    return mean * np.float32(np.sqrt(np.mean(np.square(sound), dtype=np.float64) / power)) if power else mean


def _played(track: int, pitches: Sequence[int], held: float, each: float) -> bytes:
    """Returns a MIDI file with one note for each pitch, `each` seconds apart."""
    score = symusic.Score(TICKS_PER_SECOND)
    score.tempos.append(symusic.Tempo(0, mspq=1_000_000, ttype="tick"))
    player = TRACKS[track]
    notes = symusic.Track(player.name, player.program, player.is_drum, ttype="tick")
    for index, pitch in enumerate(pitches):
        start = round(index * each * TICKS_PER_SECOND)
        notes.notes.append(symusic.Note(start, round(held * TICKS_PER_SECOND), pitch, VELOCITY, ttype="tick"))
    score.tracks.append(notes)
    return score.dumps_midi()


def _start(note: np.ndarray) -> int:
    """Returns the frame at which a note becomes audible; the renderer starts it some milliseconds late."""
    loud = np.flatnonzero(np.abs(note) > STARTED * np.abs(note).max(initial=0.0))
    return max(0, int(loud[0]) - BEFORE_START) if len(loud) else 0


def _decayed(note: np.ndarray) -> np.ndarray:
    """Returns a note up to where it is no longer heard, at most `LONGEST` seconds, faded at its end."""
    note = note[: round(LONGEST * RATE)]
    blocks = np.abs(note[: len(note) // BLOCK * BLOCK].reshape(-1, BLOCK)).max(axis=1)
    loud = np.flatnonzero(blocks > QUIET * blocks.max(initial=0.0))
    end = BLOCK * (int(loud[-1]) + 1 if len(loud) else 1)
    fade = min(round(FADE * RATE), end // 2)
    note = note[:end].copy()
    note[end - fade :] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    return note


def looped_sound(note: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns a held note that goes on without end, and its loop.

    The loop ends where the sound is most like the sound before its start. There the one fades into the other, at
    constant power.

    Args:
        note: float32 [frame], held all the time, at least `LOOP_START + LONGEST_LOOP` seconds.

    Returns:
        The sound, float32 [frame], and (first frame of the loop, frame after its last).
    """
    start, fade = round(LOOP_START * RATE), round(CROSSFADE * RATE)
    before = note[start - fade : start]
    first, last = start + round(SHORTEST_LOOP * RATE), start + round(LONGEST_LOOP * RATE)
    likeness = _likeness(note[first - fade : last], before)
    end = first + int(np.argmax(likeness))
    alike = float(np.max(likeness))
    rise = np.linspace(0, 1, fade, endpoint=False)
    # Two sounds of equal power that are alike by r add up to a power of a² + b² + 2rab.
    power = np.sqrt(rise**2 + (1 - rise) ** 2 + 2 * max(alike, 0.0) * rise * (1 - rise))
    looped = note[: end + round(AFTER_LOOP * RATE)].copy()
    looped[end - fade : end] = (looped[end - fade : end] * (1 - rise) + before * rise) / power
    looped[end:] = note[start : start + len(looped) - end]
    return looped, (start, end)


def _likeness(sound: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Returns the correlation, -1..1, of a piece with the sound at every place where it fits."""
    sound, piece = sound.astype(np.float64), piece.astype(np.float64)
    size = 1 << (len(sound) + len(piece)).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(piece, size))
    products = np.fft.irfft(spectrum, size)[: len(sound) - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    windows = np.maximum(energy[len(piece) :] - energy[: -len(piece)], 1e-12)
    return products / np.sqrt(windows * max(float(piece @ piece), 1e-12))
