"""How loud a sound is to the ear: ITU-R BS.1770-5, the measure of broadcasters and streaming services."""

import numpy as np
from scipy.signal import sosfilt

from msw2.sound.synth import RATE

# BS.1770-5, Annex 1, tables 1 and 2, for 48,000 frames a second: the head's effect, then the ear's on low notes.
K_WEIGHTING = np.array(
    [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
)
HOP = RATE // 10  # frames; a block of 400 ms begins every 100 ms
HOPS_A_BLOCK = 4
OFFSET = -0.691  # LUFS; makes a sine of 997 Hz, full scale in one channel, -3.01
ABSOLUTE_GATE = -70.0  # LUFS
RELATIVE_GATE = -10.0  # from the mean of the blocks above the absolute gate
HOPS_AT_ONCE = 600  # a minute, which bounds the memory


def loudness(sound: np.ndarray) -> float:
    """Returns the integrated loudness in LUFS: K-weighted blocks of 400 ms, quiet ones left out.

    A sound shorter than 400 ms is one block.

    Args:
        sound: float [frame, channel], one or two channels, -1..1, `RATE` frames a second.

    Returns:
        LUFS; -inf where no block is above -70 LUFS.
    """
    blocks = _block_powers(sound)
    kept = blocks[blocks > _power(ABSOLUTE_GATE)]
    if not kept.size:
        return -np.inf
    kept = kept[kept > kept.mean() * 10 ** (RELATIVE_GATE / 10)]
    return OFFSET + 10 * float(np.log10(kept.mean()))


def _power(lufs: float) -> float:
    return 10 ** ((lufs - OFFSET) / 10)


def _block_powers(sound: np.ndarray) -> np.ndarray:
    """Returns the K-weighted power of each block, added up over the channels."""
    state = np.zeros((len(K_WEIGHTING), 2, sound.shape[1]))
    hops = []
    for start in range(0, len(sound), HOPS_AT_ONCE * HOP):
        part = sound[start : start + HOPS_AT_ONCE * HOP].astype(np.float64)
        weighted, state = sosfilt(K_WEIGHTING, part, axis=0, zi=state)
        energy = np.square(weighted).sum(axis=1)
        hops.append(np.add.reduceat(energy, np.arange(0, len(energy), HOP)))
    energies = np.concatenate(hops) if hops else np.zeros(0)
    if len(sound) < HOPS_A_BLOCK * HOP:
        return energies.sum(keepdims=True) / max(len(sound), 1)
    energies = energies[: len(sound) // HOP]  # a last block that is not whole does not count
    return np.convolve(energies, np.ones(HOPS_A_BLOCK), mode="valid") / (HOPS_A_BLOCK * HOP)
