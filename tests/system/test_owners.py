"""Processes and whether they are gone."""

import os
import subprocess
import sys

from msw2.system.owners import Owner


def test_this_process_is_here():
    me = Owner.me()
    assert me.pid == os.getpid()
    assert me.is_here
    assert not me.is_gone
    assert Owner.parse(me.text()) == me


def test_a_process_that_has_ended_is_gone_even_if_its_parent_has_not_noticed():
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.me()._replace(pid=child.pid, begun=_begun(child.pid))
    assert not owner.is_gone
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_gone
    child.wait()
    assert owner.is_gone


def test_a_number_that_is_used_again_is_another_process():
    me = Owner.me()
    assert me._replace(begun=me.begun + 1).is_gone


def test_of_another_machine_nothing_is_known():
    other = Owner.me()._replace(host="elsewhere", pid=2**22 + 1)
    assert not other.is_here
    assert not other.is_gone


def test_words_that_name_no_process():
    assert Owner.parse("a-b.example-12-345") == Owner("a-b.example", 12, 345)
    for word in ("", "a", "a-b-c", "a-1", "a-1-2\n", "a/b-1-2", "a-1-x"):
        assert Owner.parse(word) is None


def _begun(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().split()[21])
