"""Shares of a batch: which of its rows each of several processes, or devices, computes."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """One of the shares that a batch is cut into.

    Shares are as equal as can be, and follow one another: the first rows are those of share 0. A batch of fewer rows
    than devices is not cut: each device computes it whole, and counts for its part of it. So no device ever has
    nothing to compute.

    Attributes:
        index: of this share, from 0; an integer or an integer tensor.
        count: of all shares.
        devices: that compute together, in all processes.
    """

    index: int
    count: int
    devices: int

    def bounds(self, rows):
        """Returns the first row of the share and the row after its last, int32 tensors.

        Args:
            rows: of the whole batch, int32 tensor.
        """
        whole = rows < self.devices
        first = tf.where(whole, 0, self.index * rows // self.count)
        return first, tf.where(whole, rows, (self.index + 1) * rows // self.count)

    def of(self, rows):
        """Returns the part of a tensor [row, ...] of a whole batch that is of this share."""
        first, end = self.bounds(tf.shape(rows)[0])
        return rows[first:end]
