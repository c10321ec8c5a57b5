"""Everything else is in setup.cfg, which cannot say how to compile."""

from setuptools import Extension, setup

NATIVE = Extension(
    "msw2.models._native",
    ["msw2/models/lstm.c", "msw2/models/matrix.c", "msw2/models/perceptron.c"],
    depends=["msw2/models/matrix.h", "msw2/models/tiles.h"],
    # For the machine it is built on: it is built where it runs.
    extra_compile_args=["-O3", "-march=native", "-ffp-contract=fast"],
    optional=True,  # without a C compiler training is slower, and all the same
)

setup(ext_modules=[NATIVE])
