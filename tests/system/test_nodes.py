"""A node of a cluster, as a task finds it."""

import pytest

import msw2
from msw2.system import nodes
from msw2.system.cluster import ClusterError


def test_a_node_with_another_version_or_without_the_folder_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = nodes.Place(str(tmp_path), msw2.__version__)
    assert nodes.done(here, divmod, 17, 5) == (3, 2)
    with pytest.raises(
        ClusterError, match=rf"has msw2 {msw2.__version__}, not 0\.0: install the same on all$"
    ):
        nodes.done(here._replace(version="0.0"), divmod, 17, 5)
    with pytest.raises(
        ClusterError, match=r"has no folder /no/such: call the command in a folder that all share$"
    ):
        nodes.done(here._replace(folder="/no/such"), divmod, 17, 5)
