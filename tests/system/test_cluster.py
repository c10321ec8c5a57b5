"""Ray is imported where a cluster is joined, and nowhere else; tests/cli/test_cluster.py has a real cluster."""

import ast
import pathlib
import socket
import sys
import types

import pytest

import msw2
from msw2.system.cluster import ClusterError, joined

PACKAGE = pathlib.Path(msw2.__file__).parent


def imports_of_ray(source):
    """Returns (line, whether it is within a function) of each import of Ray."""
    found = []

    def look(node, within):
        for child in ast.iter_child_nodes(node):
            names = [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
            names += [child.module or ""] if isinstance(child, ast.ImportFrom) else []
            found.extend((child.lineno, within) for name in names if name.split(".")[0] == "ray")
            look(child, within or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))

    look(ast.parse(source), False)
    return found


def test_the_check_sees_imports():
    source = "import ray.util\nclass A:\n    from ray import x\ndef f():\n    if 1:\n        import ray\nimport rays"
    assert imports_of_ray(source) == [(1, False), (3, False), (6, True)]


def test_only_joining_a_cluster_and_its_own_processes_import_ray():
    found = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := imports_of_ray(path.read_text("utf-8")))
    }
    assert sorted(found) == ["system/cluster.py", "system/remote_commands.py"]
    assert all(within for lines in found.values() for _, within in lines)


def test_without_ray_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ClusterError, match=r"^Ray is not installed: pip install 'msw2\[ray\]'$"),
        joined("auto"),
    ):
        pass


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_a_sentence(monkeypatch, address):
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace())
    expected = rf"^no Ray cluster at '{address}' \(.+\): `ray start --head` says"
    with pytest.raises(ClusterError, match=expected), joined(address):
        pass


def test_where_nothing_listens_ray_is_not_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    expected = rf"^no Ray cluster at '127.0.0.1:{port}' \(.*refused\)"
    with pytest.raises(ClusterError, match=expected), joined(f"127.0.0.1:{port}"):
        pass
