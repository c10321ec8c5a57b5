"""Small JSON files: what is no object of the kind and version is refused in a sentence."""

import json

import pytest

from msw2.system.small_json import JsonError, read_object

MARKS = {"kind": "key", "format": 3}


def test_an_object_with_its_marks_is_returned_whole(tmp_path):
    content = {"format": 3, "kind": "key", "é": [1.5, None]}
    (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
    assert read_object(tmp_path / "a.json", "a key", MARKS, max_bytes=100) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'"kind"', 'not a key: it has no "kind": "key"'),
        (b'{"kind": "key"}', 'not a key: it has no "format": 3'),
        (b'{"kind": ["key"], "format": 3}', 'not a key: its "kind" is [\'key\'], not "key"'),
        (b'{"kind": "key", "format": 3.0}', 'not a key: its "format" is 3.0, not 3'),
        (b" " * 100_001, "file too large: 100001 bytes, at most 100000"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_anything_else_is_one_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(JsonError) as caught:
        read_object(tmp_path / "a.json", "a key", MARKS, max_bytes=100_000)
    assert str(caught.value) == message
