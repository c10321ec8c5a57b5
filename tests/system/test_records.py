"""Records that are read back: what does not fit its schema is refused in a sentence."""

import json

import pytest

from msw2.system.records import RecordError, as_number, checked, read_json, read_object, read_table

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
        (b'{"kind": ["key"], "format": 3}', 'not a key: its "kind" is a list, not "key"'),
        (b'{"kind": "key", "format": 3.0}', 'not a key: its "format" is 3.0, not 3'),
        (b" " * 100_001, "file too large: 100001 bytes, at most 100000"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_anything_else_is_one_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_object(tmp_path / "a.json", "a key", MARKS, max_bytes=100_000)
    assert str(caught.value) == message


SCHEMA = {"name": str, "splits": {"train": {"files": [str], "phrases": int}}, "loss": float, "whole": bool}


def record(**changes):
    """A record that fits the schema, with other fields."""
    good = {
        "name": "é",
        "splits": {"train": {"files": ["a", "b"], "phrases": 3}},
        "loss": -1,
        "whole": True,
        "more": [{}],
    }
    return good | changes


def test_a_record_that_fits_is_returned_as_it_is(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(record()), "utf-8")
    assert read_json(tmp_path / "a.json", SCHEMA) == record()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "its content is a list, not an object"),
        ({"name": "a"}, "its 'splits' is missing"),
        (record(name=3), "its 'name' is 3, not text"),
        (record(splits=[]), "its 'splits' is a list, not an object"),
        (record(splits={"train": {"files": ["a"]}}), "its 'splits', 'train', 'phrases' is missing"),
        (
            record(splits={"train": {"files": ["a", None], "phrases": 1}}),
            "its 'splits', 'train', 'files'[1] is None, not text",
        ),
        (
            record(splits={"train": {"files": [], "phrases": True}}),
            "its 'splits', 'train', 'phrases' is True, not a whole number",
        ),
        (
            record(splits={"train": {"files": [], "phrases": -1}}),
            "its 'splits', 'train', 'phrases' is -1, not a whole number from 0 on",
        ),
        (
            record(splits={"train": {"files": [], "phrases": 2**63}}),
            f"its 'splits', 'train', 'phrases' is {2**63}, not a whole number from 0 on",
        ),
        (record(loss=float("inf")), "its 'loss' is inf, not a finite number"),
        (record(loss=float("nan")), "its 'loss' is nan, not a finite number"),
        (record(loss="1"), "its 'loss' is '1', not a finite number"),
        (record(whole=1), "its 'whole' is 1, not true or false"),
    ],
)
def test_a_field_that_does_not_fit_is_named(value, message):
    with pytest.raises(RecordError) as caught:
        checked(value, SCHEMA)
    assert str(caught.value) == message


def test_fields_of_any_name_have_a_schema_too():
    assert checked({"stage1": 3.5}, {...: float}) == {"stage1": 3.5}
    with pytest.raises(RecordError, match="its 'stage1' is 'long', not a finite number"):
        checked({"stage1": "long"}, {...: float})


@pytest.mark.parametrize(("content", "message"), [("[" * 10**6, "not JSON"), ("1" * 5000, "not JSON")])
def test_deep_and_huge_json_is_refused(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(RecordError, match=f"^{message}$"):
        read_json(tmp_path / "a.json", {})
    with pytest.raises(RecordError, match=f"^file too large: {len(content)} bytes, at most 99$"):
        read_json(tmp_path / "a.json", {}, max_bytes=99)


def test_a_table_is_read_line_by_line(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'epoch,loss\n1,0.5\n2,"a\x0bb"\n')
    assert read_table(tmp_path / "a.csv") == (["epoch", "loss"], [["1", "0.5"], ["2", "a\x0bb"]])
    (tmp_path / "a.csv").write_bytes(b"")
    assert read_table(tmp_path / "a.csv") == ([], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epoch\n\xff", "not text"),
        (b"epoch,loss\n1\n", "it has 1 cells in line 2; its header has 2"),
        (b"a,a\n", "its header has a name twice"),
        (b'a\n"b', "no CSV: unexpected end of data"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_table(tmp_path / "a.csv")
    assert str(caught.value) == message


def test_cells_are_numbers():
    assert as_number("-1.5") == -1.5
    assert as_number("") != as_number("")  # NaN
    with pytest.raises(RecordError, match="'x' is not a number"):
        as_number("x")
