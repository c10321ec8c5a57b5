"""How to compile `msw2.kernels`, which setup.cfg cannot say. Everything else is in setup.cfg."""

import copy
import os
import platform

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = ["msw2/kernels/lstm.c", "msw2/kernels/matrix.c"]
HEADERS = ["msw2/kernels/matrix.h", "msw2/kernels/tiles.h"]
COMMON = ["-O3", "-ffp-contract=fast", "-fvisibility=hidden", "-Wno-psabi"]
# The same sources for each instruction set. `msw2.kernels.compiled` chooses one at run time.
AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl"]
BFLOAT16 = [*AVX512, "-mavx512bf16"]
VARIANTS = {
    "generic": [],
    "avx2": AVX2,
    "avx512": AVX512,
    "avx512bf16": BFLOAT16,
    "amx": [*BFLOAT16, "-mamx-tile", "-mamx-bf16"],
}


class BuildVariants(build_ext):
    """Gives each variant a folder for its objects: all are made of the same sources."""

    def build_extension(self, ext):
        """Compiles a variant."""
        own = copy.copy(self)
        own.build_temp = os.path.join(self.build_temp, ext.name)
        build_ext.build_extension(own, ext)


def extensions() -> list[Extension]:
    """Returns an extension for each variant that machines of this kind may run."""
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    return [
        Extension(
            f"msw2.kernels._{name}",
            [*SOURCES, "msw2/kernels/cpu.c"] if name == "generic" else SOURCES,
            depends=HEADERS,
            extra_compile_args=[*COMMON, *flags],
            optional=True,  # without a C compiler training is slower
        )
        for name, flags in VARIANTS.items()
        if x86 or name == "generic"
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildVariants})
