import errno
import os
import signal
import subprocess
import sys

import pytest

from msw2.system.files import ABANDONED, copy, naming, replacing
from msw2.system.owners import Owner

WRITER = """
import sys, time
from msw2.system.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print(temporary, flush=True)
    time.sleep(60)
"""


def test_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "song.txt"
    with replacing(path) as temporary:
        temporary.write_text("la")
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "la"
    assert list(path.parent.iterdir()) == [path]


def test_error_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "song.txt"
    path.write_text("old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_copy_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    source, target = tmp_path / "source.txt", tmp_path / "new" / "target.txt"
    source.write_text("la")
    copy(source, target)
    assert (source.read_text(), target.read_text()) == ("la", "la")

    def write_half(_, temporary):
        temporary.write_text("ne")
        raise OSError("disk full")

    monkeypatch.setattr("shutil.copyfile", write_half)
    with pytest.raises(OSError, match="disk full"):
        copy(source, target)
    assert target.read_text() == "la"
    assert list(target.parent.iterdir()) == [target]


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_writes_is_not(tmp_path):
    """The folder is looked through by a fresh process, as the next command is."""

    def start():
        command = [sys.executable, "-c", WRITER, str(tmp_path / "song.txt")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()

    def end(process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()

    first, litter = start()
    end(first)
    (tmp_path / ".msw2-kept").write_text("of the user")
    old, new = tmp_path / ".msw2-elsewhere-1-2-00000000.txt", tmp_path / ".msw2-elsewhere-1-2-00000001.txt"
    old.write_text("")
    new.write_text("")
    os.utime(old, (new.stat().st_mtime - ABANDONED - 1,) * 2)
    (tmp_path / f".msw2-{Owner.me()._replace(begun=1).text()}-00000002").mkdir()
    second, living = start()
    third, last = start()
    names = sorted(os.path.join(tmp_path, name) for name in os.listdir(tmp_path))
    for process in (second, third):
        end(process)
    assert litter not in names
    assert names == sorted([living, last, str(new), str(tmp_path / ".msw2-kept")])


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "song.txt"

    def full(error):
        with replacing(path):
            raise error

    for error in (
        OSError(errno.ENOSPC, "full"),
        OSError(errno.ENOSPC, "full", str(tmp_path / ".msw2-a-1-2-00000000.x")),
    ):
        with pytest.raises(OSError) as caught:
            full(error)
        assert (caught.value.filename, caught.value.errno) == (str(path), errno.ENOSPC)
    other = OSError(errno.ENOENT, "none", "other.txt")
    with pytest.raises(OSError) as caught, naming(path):
        raise other
    assert caught.value.filename == "other.txt"


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    for name in ("a" * 251 + ".txt", "a." + "b" * 253):
        with replacing(tmp_path / name) as temporary:
            temporary.write_text("la")
        assert (tmp_path / name).read_text() == "la"
