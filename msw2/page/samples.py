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
from msw2.sound.mix import amplitude
from msw2.sound.synth import RATE, synthesise

VELOCITY = 100  # of the sounds; softer and louder notes are scaled, as the renderer scales them
SPACING = 4  # semitones
SUSTAINED = frozenset({"strings"})  # these hold a note as long as it lasts, and the others decay
TICKS_PER_SECOND = 480

# Seconds.
HELD, DRUM_HELD, GAP = 4.0, 0.1, 2.0
LONGEST, FADE = 2.2, 0.3  # of a sound without a loop, and of its end
LOOP_START, SHORTEST_LOOP, LONGEST_LOOP, CROSSFADE = 0.8, 0.5, 1.0, 0.25
FASTEST_DECAY, SLOWEST_DECAY = 0.4, 20.0  # to 1 / e; faster sounds have no loop, slower ones do not fall
AFTER_LOOP = 0.02  # goes on behind the loop, so that the codec sees no edge at its end

QUIET = float(amplitude(-42))  # of the peak: a decaying sound ends where it stays below
STARTED = float(amplitude(-60))  # of the peak: a sound starts just before the first frame above
LATEST_START = 1.0  # seconds
BEFORE_START = 16  # frames
PEAK = 0.9  # of a track's loudest sound: the codec has a floor
BLOCK = 480  # frames that a level is measured over


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sound of a track.

    Attributes:
        track: index of the track.
        pitch: its MIDI number.
        start: first frame in the recording of all sounds.
        frames: its length.
        loop_start: frame, counted from `start`, to go on from when `loop_end` is reached.
        loop_end: frame after the loop; 0 where the sound has no loop.
        decay: seconds after which the loop has fallen to 1 / e, and so on; 0 where it does not fall.
    """

    track: int
    pitch: int
    start: int
    frames: int
    loop_start: int = 0
    loop_end: int = 0
    decay: float = 0.0


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
        for pitch, sound, loop in made:
            samples.append(Sample(track, pitch, at, len(sound), *loop))
            # A little silence after each: the codec smears a sound over its edge.
            pieces += [sound * np.float32(PEAK / max(peak, 1e-9)), np.zeros(BLOCK, np.float32)]
            at += len(sound) + BLOCK
    sound = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return Recording(sound, tuple(samples), tuple(levels))


def _track_sounds(track: int, pitches: Sequence[int], soundfont: str | os.PathLike | None) -> list[tuple]:
    """Returns (pitch, float32 [frame], (loop start, loop end, decay)) for each pitch."""
    if not pitches:
        return []
    seconds = DRUM_HELD if track == DRUMS else HELD
    each = seconds + GAP
    played = _played(track, pitches, seconds, each)
    sound = mono(synthesise(played, soundfont))
    found = []
    for index, pitch in enumerate(pitches):
        note = sound[round(index * each * RATE) : round((index + 1) * each * RATE)]
        note = note[_start(note) :]
        held = note[: round((HELD - LATEST_START) * RATE)]
        decay = 0.0 if TRACK_NAMES[track] in SUSTAINED else decay_time(held)
        if track == DRUMS or 0 < decay < FASTEST_DECAY or _is_over(held):
            found.append((pitch, _decayed(note), (0, 0, 0.0)))
        else:
            looped, loop = looped_sound(held, decay)
            found.append((pitch, looped, (*loop, decay)))
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
    """Returns the frame where a note becomes audible. The renderer starts it some milliseconds late."""
    loud = np.flatnonzero(np.abs(note) > STARTED * np.abs(note).max(initial=0.0))
    return min(max(0, int(loud[0]) - BEFORE_START), round(LATEST_START * RATE)) if len(loud) else 0


def _is_over(note: np.ndarray) -> bool:
    """Returns whether a held note is not heard any more where its loop would start."""
    return np.abs(note[round(LOOP_START * RATE) :]).max() <= QUIET * np.abs(note).max()


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


def decay_time(note: np.ndarray) -> float:
    """Returns how long a held note takes to fall to 1 / e, in seconds; 0 if it does not fall.

    Args:
        note: float32 [frame], held all the time. What counts is the part from just before its loop.
    """
    blocks = note[round((LOOP_START - CROSSFADE) * RATE) :]
    power = np.square(blocks[: len(blocks) // BLOCK * BLOCK].reshape(-1, BLOCK)).mean(axis=1)
    heard = power > power.max(initial=0.0) * QUIET**2
    heard = heard[: len(heard) if heard.all() else int(np.argmin(heard))]  # up to the first block that is not
    if len(heard) < 2:
        return 0.0
    seconds = np.arange(len(heard)) * BLOCK / RATE
    slope = np.polyfit(seconds, np.log(power[: len(heard)]) / 2, 1)[0]
    return round(float(-1 / slope), 4) if slope < -1 / SLOWEST_DECAY else 0.0


def looped_sound(note: np.ndarray, decay: float = 0.0) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns a held note that goes on without end, and its loop.

    The loop ends where the sound is most like the sound before its start. There the one fades into the other, at
    constant power. The loop of a decaying note is levelled: whoever plays it makes it fall.

    Args:
        note: float32 [frame], held all the time, at least `LOOP_START + LONGEST_LOOP + AFTER_LOOP` seconds.
        decay: seconds after which it has fallen to 1 / e; 0: it does not fall.

    Returns:
        The sound, float32 [frame], and (first frame of the loop, frame after its last).
    """
    start, fade = round(LOOP_START * RATE), round(CROSSFADE * RATE)
    seconds = (np.arange(len(note)) - start) / RATE
    level = note * np.exp(seconds / decay).astype(np.float32) if decay else note
    before = level[start - fade : start]
    first, last = start + round(SHORTEST_LOOP * RATE), start + round(LONGEST_LOOP * RATE)
    likeness = _likeness(level[first - fade : last], before)
    end = first + int(np.argmax(likeness))
    alike = max(float(np.max(likeness)), 0.0)
    rise = np.linspace(0, 1, fade, endpoint=False)
    # Two sounds of equal power that are alike by r add up to a power of a² + b² + 2rab.
    power = np.sqrt(rise**2 + (1 - rise) ** 2 + 2 * alike * rise * (1 - rise))
    after = round(AFTER_LOOP * RATE)
    looped = np.concatenate([note[:start], level[start:end], level[start : start + after]])
    looped[end - fade : end] = (level[end - fade : end] * (1 - rise) + before * rise) / power
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
