import pytest

from msw2.system.files import copy, replacing


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
