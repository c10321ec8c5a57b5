"""Notes of songs in rows, as the notes prior learns them: bar after bar, each track by track, each note by note."""

import dataclasses

import numpy as np

from msw2.models.references import OFFSETS, ORDER

LENGTH = 160  # places of a row; bars of more notes and ends are left out
NONE = -1  # a voice that proposes nothing


@dataclasses.dataclass(frozen=True, eq=False)
class UnitNotes:
    """All notes of some songs, sorted by unit, start, pitch. A unit's number is (song, bar, track), flattened.

    Attributes:
        key: int64 [note], unit * cells + start * pitches + pitch.
        length: uint8 [unit * cells], steps of the note that begins at a cell, 0 where none does.
        pitches: of the grid.
        cells: of a unit.
    """

    key: np.ndarray
    length: np.ndarray
    pitches: int
    cells: int

    @classmethod
    def of(cls, cells: np.ndarray) -> "UnitNotes":
        """Finds the notes of cells, bool [..., track, step, pitch]: runs of cells within a bar."""
        steps, pitches = cells.shape[-2:]
        rolls = cells.reshape(-1, steps, pitches)
        begins, ends = rolls.copy(), rolls.copy()
        begins[:, 1:] &= ~rolls[:, :-1]
        ends[:, :-1] &= ~rolls[:, 1:]
        # Along the steps of one pitch after another, begins and ends of the runs come in pairs.
        lines = [np.flatnonzero(each.swapaxes(1, 2)) for each in (begins, ends)]
        unit, rest = np.divmod(lines[0], steps * pitches)
        pitch, start = np.divmod(rest, steps)
        key = unit * (steps * pitches) + start * pitches + pitch
        length = np.zeros(rolls.size, np.uint8)
        length[key] = lines[1] - lines[0] + 1
        return cls(np.sort(key), length, pitches, steps * pitches)

    def counts(self, units: int) -> np.ndarray:
        """Returns the notes of each unit, int64 [unit]."""
        return np.bincount(self.key // self.cells, minlength=units)

    def next(self, unit: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Returns the first notes of units after some cells, as cells; `NONE` where no note follows.

        Args:
            unit: int64 of any shape.
            after: of a shape that goes with it, cells, or -1 for the first note of all.
        """
        at = np.searchsorted(self.key, unit * self.cells + after, side="right")
        found = self.key[np.minimum(at, len(self.key) - 1)] if len(self.key) else np.zeros_like(at) - 1
        fits = (at < len(self.key)) & (found // self.cells == unit)
        return np.where(fits, found % self.cells, NONE)


def repeats_of(cells: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Returns which units are the same as a reference of theirs that is known, cell for cell.

    Args:
        cells: bool [song, bar, track, step, pitch].
        given: float32 [song, bar, track], 1 where the unit is given, else 0.

    Returns:
        float32 [song, bar, track, reference] of 0 and 1.
    """
    songs, bars, tracks = given.shape
    bits = np.packbits(cells.reshape(songs * bars * tracks, -1), axis=1)
    _, number = np.unique(bits.view(f"V{bits.shape[1]}").ravel(), return_inverse=True)
    number = number.reshape(given.shape)
    found = np.zeros((*given.shape, len(OFFSETS)), np.float32)
    for index, offset in enumerate(OFFSETS):
        reach = min(abs(offset), bars)
        early, late = slice(0, bars - reach), slice(reach, bars)
        here, there = (late, early) if offset < 0 else (early, late)
        known = 1.0 if offset < 0 else given[:, there]
        found[:, here, :, index] = known * (number[:, here] == number[:, there])
    return found


def rows_of(
    cells: np.ndarray, given: np.ndarray, learnt: np.ndarray, count: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Puts the notes of songs in rows. Bars that find no room are left out, whichever comes last at random.

    Args:
        cells: bool [song, bar, track, step, pitch].
        given: float32 [song, bar, track], 1 where the unit is given, else 0.
        learnt: bool [song, bar, track], whose notes are learnt. Those of other tracks are read, and bars without any
            are left out.
        count: rows.
        rng: draws the order of the bars.

    Returns:
        Arrays [count, LENGTH, ...]:

        * `unit`, int32: the unit's number, see `UnitNotes`;
        * `closing`, float32: 1 at the place after the last of a bar, else 0;
        * `before`, int32 [..., 3]: the note before in the unit, start, pitch and length; steps, pitches and 0 at first;
        * `note`, int32 [..., 3]: the note; start is steps at the end of the unit;
        * `agreed`, float32 [..., VOICES]: 1 where a voice has the note before;
        * `voiced`, int32 [..., 3, VOICES]: start, pitch, length that each voice proposes, or `NONE`;
        * `weight`, float32 [..., 2]: of the start, and of pitch and length: 1 where they are learnt, else 0.
    """
    songs, bars, tracks, steps, pitches = cells.shape
    notes = UnitNotes.of(cells)
    counts = notes.counts(songs * bars * tracks).reshape(-1, tracks)
    turn = np.argsort(
        np.argsort(np.argsort(ORDER) + tracks * (given.reshape(-1, tracks) < 0.5), axis=1), axis=1
    )
    sizes = counts + 1  # with its end
    wanted = learnt.any(axis=2).ravel()
    row, place = _placed(np.where(wanted, sizes.sum(axis=1) + 1, LENGTH + 1), count, rng)
    earlier = (turn[:, None] < turn[:, :, None]) @ sizes[
        :, :, None
    ]  # places of the tracks before, in the bar
    first = (row * LENGTH + place)[:, None] + earlier[..., 0]
    first[row < 0] = -1
    first = first.ravel()

    kept_unit = np.flatnonzero(first >= 0)
    of_note = notes.key // notes.cells
    ranks = np.arange(len(of_note)) - np.searchsorted(of_note, of_note)
    kept_note = first[of_note] >= 0
    at_note = (first[of_note] + ranks)[kept_note]
    at_end = first[kept_unit] + counts.ravel()[kept_unit]
    cell = (notes.key % notes.cells)[kept_note]
    size = notes.length[notes.key[kept_note]]

    total = count * LENGTH
    unit, closing = np.zeros(total, np.int32), np.zeros(total, np.float32)
    note, before = np.zeros((total, 3), np.int32), np.zeros((total, 3), np.int32)
    last = np.full(total, -1, np.int64)  # cell of the note before
    used = np.zeros(total, bool)
    unit[at_note], unit[at_end] = of_note[kept_note], kept_unit
    used[at_note], used[at_end] = True, True
    note[at_note] = np.stack([cell // pitches, cell % pitches, size - 1], axis=1)
    note[at_end, 0] = steps
    before[:] = steps, pitches, 0
    before[at_note + 1] = np.stack([cell // pitches, cell % pitches, size], axis=1)
    last[at_note + 1] = cell
    closing[(row * LENGTH + place + sizes.sum(axis=1))[row >= 0]] = 1.0
    counted = used & learnt.ravel()[unit]
    weight = np.stack([counted, counted & (note[:, 0] < steps)], axis=1).astype(np.float32)
    agreed, voiced = _voices(cells, given, notes, (unit, note, last))
    voiced[~used] = NONE
    arrays = {"unit": unit, "closing": closing, "before": before, "note": note}
    arrays |= {"agreed": agreed, "voiced": voiced, "weight": weight}
    return {name: array.reshape(count, LENGTH, *array.shape[1:]) for name, array in arrays.items()}


def _placed(sizes: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Puts bars of some sizes in rows: the row of each, -1 for none, and its place, int64 [bar]."""
    filled = np.zeros(count, np.int64)
    row, place = np.full(len(sizes), -1), np.zeros(len(sizes), np.int64)
    for bar in rng.permutation(len(sizes)):
        fits = np.flatnonzero(filled + sizes[bar] <= LENGTH)
        if len(fits):
            chosen = fits[np.argmax(filled[fits])]  # the fullest, so that few places stay empty
            row[bar], place[bar] = chosen, filled[chosen]
            filled[chosen] += sizes[bar]
    return row, place


def _voices(
    cells: np.ndarray, given: np.ndarray, notes: UnitNotes, at: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns `agreed` and `voiced` of `rows_of`, for places in one line.

    Args:
        cells: as for `rows_of`.
        given: likewise.
        notes: of the cells.
        at: of each place the unit, the note, and the cell of the note before, -1 for none.
    """
    unit, note, last = at
    bars, tracks, steps, pitches = cells.shape[1:]
    bar = unit // tracks % bars
    offsets = np.array(OFFSETS)
    other = bar[:, None] + offsets
    inside = (other >= 0) & (other < bars)
    reference = np.where(inside, unit[:, None] + offsets * tracks, unit[:, None]).astype(np.int64)
    known = inside & ((offsets < 0) | (given.ravel()[reference] > 0.5))
    # What sounds at the end of the bar before, as notes at the begin of the bar.
    ends = np.zeros_like(cells)
    ends[:, 1:, :, 0] = cells[:, :-1, :, -1]
    tails = UnitNotes.of(ends)
    own = unit[:, None].astype(np.int64)
    start, pitch = note[:, :1].astype(np.int64), note[:, 1:2].astype(np.int64)
    after = last[:, None]
    bound = np.maximum(after, start * pitches - 1)  # a note at the start that is told, after the note before

    def of(source: UnitNotes, where: np.ndarray) -> tuple[np.ndarray, ...]:
        first = source.next(where, after)
        begin = np.where(first >= 0, first // pitches, steps)
        at_start = source.next(where, bound)
        tone = np.where((at_start >= 0) & (at_start // pitches == start), at_start % pitches, NONE)
        target = np.minimum(start, steps - 1) * pitches + pitch
        size = source.length[where * source.cells + target].astype(np.int64) - 1
        had = source.length[where * source.cells + np.maximum(after, 0)] > 0
        return begin, tone, size, had & (after >= 0)

    made, held = of(notes, reference), of(tails, own)
    made = [np.where(known, each, NONE) for each in made[:3]] + [made[3] & known]
    silent = held[0] == steps
    held = [np.where(silent, NONE, held[0]), held[1], np.full_like(held[2], NONE), held[3]]
    together = [np.concatenate(pair, axis=1) for pair in zip(made, held, strict=True)]
    return together[3].astype(np.float32), np.stack(together[:3], axis=1).astype(np.int32)
