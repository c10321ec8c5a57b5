import pytest

from msw2.models import native


@pytest.fixture
def tiles():
    """One product of bfloat16 in tiles for one of float32, as commands train by default."""
    if not native.use_tiles(1):
        pytest.skip("no C compiler, or no products of bfloat16")
    yield
    native.use_tiles(3)
