"""A module imports its own layer or one to its left; the folder's name is the layer."""

import ast
import pathlib
import sys

import pytest

import msw2

LAYERS = (
    *("system", "kernels", "music", "sound", "page", "config", "data", "models", "training"),
    *("inference", "evaluation", "serving", "benchmarks", "cli"),
)
PACKAGE = pathlib.Path(msw2.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports(source, module):
    """Returns the absolute dotted names that a module imports anywhere, with the names taken from each."""
    package = ("msw2", *module.with_suffix("").parts)[: len(module.parts)]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = [*package[: len(package) - node.level + 1]] if node.level else []
            parts += [node.module] if node.module else []
            found |= {".".join([*parts, alias.name]) for alias in node.names}
    return found


def faults(source, module):
    """Returns what is wrong with a module's imports, one sentence each."""
    layer = module.parts[0].removesuffix(".py")
    if layer == "__init__":
        # Whoever wants the metrics alone does not wait for TensorFlow.
        others = [
            name for name in imports(source, module) if name.split(".")[0] not in sys.stdlib_module_names
        ]
        return [f"msw2 itself imports {name}" for name in others]
    if layer not in LAYERS:
        return [f"{layer} is not one of the layers {', '.join(LAYERS)}"]
    found = []
    for name in sorted(imports(source, module)):
        top, *rest = name.split(".")
        if top == "msw2" and rest and rest[0] in LAYERS and LAYERS.index(rest[0]) > LAYERS.index(layer):
            found.append(f"{layer} imports {name}, to its right")
        if layer == "kernels" and top == "msw2" and rest[:1] != ["kernels"]:
            found.append(f"kernels imports {name}, and is to be of use alone")
        if layer in {"music", "sound", "page"} and top in {"tensorflow", "keras", "absl"}:
            found.append(f"{layer} imports {name}")
        if layer != "cli" and name.startswith("absl.flags"):
            found.append(f"{layer} imports {name}, which is for cli")
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_point_to_the_left(module):
    assert faults((PACKAGE / module).read_text(encoding="utf-8"), module) == []


def test_every_layer_is_looked_at():
    assert {module.parts[0] for module in MODULES} >= set(LAYERS) - {"config"}


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("music/midi.py", "from msw2.music import grid\nimport numpy", []),
        ("training/fit.py", "from msw2 import config\nimport msw2.models.bvae\nfrom absl import logging", []),
        ("cli/train.py", "from absl import flags\nfrom msw2.serving import export", []),
        ("music/grid.py", "from msw2 import config", ["music imports msw2.config, to its right"]),
        ("config.py", "import msw2.data.store", ["config imports msw2.data.store, to its right"]),
        (
            "data/store.py",
            "def f():\n    from ..models.bvae import x",
            ["data imports msw2.models.bvae.x, to its right"],
        ),
        ("data/store.py", "from .. import cli", ["data imports msw2.cli, to its right"]),
        ("data/store.py", "from . import windows\nfrom .windows import cut", []),
        ("music/midi.py", "import keras.ops", ["music imports keras.ops"]),
        ("sound/mix.py", "import tensorflow", ["sound imports tensorflow"]),
        ("sound/mix.py", "from msw2.page import build", ["sound imports msw2.page.build, to its right"]),
        ("sound/mix.py", "from msw2.music import midi\nimport scipy.signal", []),
        ("page/build.py", "from absl import logging", ["page imports absl.logging"]),
        ("page/build.py", "from msw2.sound import synth\nfrom msw2.music import midi", []),
        (
            "models/bvae.py",
            "from absl.flags import FLAGS",
            ["models imports absl.flags.FLAGS, which is for cli"],
        ),
        ("models/bvae.py", "from absl import flags", ["models imports absl.flags, which is for cli"]),
        ("kernels/lstm.py", "from msw2.kernels import compiled\nimport keras", []),
        (
            "kernels/lstm.py",
            "from msw2.system.cores import cores",
            ["kernels imports msw2.system.cores.cores, and is to be of use alone"],
        ),
        (
            "kernels/lstm.py",
            "from msw2 import kernels, system",
            ["kernels imports msw2.system, and is to be of use alone"],
        ),
        ("utils.py", "import os", [f"utils is not one of the layers {', '.join(LAYERS)}"]),
    ],
)
def test_the_check_finds_what_it_should(module, source, expected):
    assert faults(source, pathlib.Path(module)) == expected
