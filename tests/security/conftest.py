import pytest

from tests.security.payloads import Trap


@pytest.fixture
def trap(tmp_path):
    """Harmful content for files; no test may set it off."""
    found = Trap(tmp_path)
    assert found.works()
    yield found
    assert not found.went_off
