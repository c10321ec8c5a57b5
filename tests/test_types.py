"""The types in `msw2/__init__.pyi`, against the functions and methods that they describe."""

import ast
import inspect
import pathlib

import msw2
from msw2.inference.band import Band

STUBS = ast.parse(pathlib.Path(msw2.__file__).with_suffix(".pyi").read_text("utf-8"))
FUNCTIONS = {node.name: node for node in STUBS.body if isinstance(node, ast.FunctionDef)}


def plain(annotation):
    """Returns an annotation as the stubs would write it."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def described(function):
    """Returns the stub's arguments, name -> (is by keyword alone, has a default, type), and its result."""
    arguments = function.args
    first = len(arguments.args) - len(arguments.defaults)
    found = {
        each.arg: (False, at >= first, ast.unparse(each.annotation)) for at, each in enumerate(arguments.args)
    }
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[each.arg] = (True, default is not None, ast.unparse(each.annotation))
    return found, ast.unparse(function.returns)


def actual(method):
    """Returns the same of a method of `Band`, without `self`."""
    signature = inspect.signature(method)
    found = {
        name: (each.kind is each.KEYWORD_ONLY, each.default is not each.empty, plain(each.annotation))
        for name, each in signature.parameters.items()
        if name != "self"
    }
    return found, plain(signature.return_annotation)


def without_model(described):
    """Returns a stub's arguments without `model`, which the one-call functions add."""
    arguments, result = described
    assert arguments.pop("model") == (True, True, "str | os.PathLike")
    return arguments, result


def test_the_stubs_name_what_the_package_offers():
    assert sorted(FUNCTIONS) == sorted(msw2.__all__)
    values = {node.target.id for node in STUBS.body if isinstance(node, ast.AnnAssign)}
    assert values == {"__version__", "MODEL"}
    assert {type(getattr(msw2, name)) for name in values} == {str}


def test_load_has_the_types_of_band():
    assert described(FUNCTIONS["load"]) == actual(Band.load)
    assert list(inspect.signature(msw2.load).parameters) == list(described(FUNCTIONS["load"])[0])
    assert inspect.signature(Band.load).parameters["path"].default == msw2.MODEL
    assert inspect.signature(msw2.load).parameters["path"].default == msw2.MODEL


def test_restore_has_the_types_of_band():
    arguments, result = described(FUNCTIONS["restore"])
    own = inspect.signature(msw2.restore).parameters
    assert list(own) == list(arguments)
    assert [each.kind is each.KEYWORD_ONLY for each in own.values()] == [
        by_name for by_name, *_ in arguments.values()
    ]
    assert without_model((arguments, result)) == actual(Band.restore)


def test_generate_has_the_types_of_band_by_keyword_alone():
    arguments, result = without_model(described(FUNCTIONS["generate"]))
    expected, returned = actual(Band.generate)
    assert arguments == {name: (True, *rest) for name, (_, *rest) in expected.items()}
    assert result == returned


def test_a_type_that_drifts_is_seen():
    drifted = ast.parse("def load(path: str = ...) -> Band: ...").body[0]
    assert described(drifted) != actual(Band.load)
    more = ast.parse("def load(path: str | os.PathLike = ..., half: bool = ...) -> Band: ...").body[0]
    assert described(more) != actual(Band.load)
