"""`--cluster`: the commands that can work on a Ray cluster have it."""

import contextlib
from collections.abc import Iterator

from absl import flags

from msw2.system.cluster import Cluster, joined


def define_cluster() -> None:
    """Defines `--cluster`."""
    flags.DEFINE_string(
        "cluster",
        "",
        "Ray cluster to work on: `auto` for the one of this machine, or host:port of its head; empty: none.",
    )


@contextlib.contextmanager
def chosen_cluster(*, talking: bool = False) -> Iterator[Cluster | None]:
    """Joins the cluster that `--cluster` names while the block runs; None without the flag.

    Args:
        talking: whether what tasks print comes out here.

    Raises:
        ClusterError: if it cannot be joined.
    """
    if not flags.FLAGS.cluster:
        yield None
        return
    with joined(flags.FLAGS.cluster, talking=talking) as cluster:
        yield cluster
