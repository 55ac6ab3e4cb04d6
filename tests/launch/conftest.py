from collections.abc import Iterator

import pytest
from launch_harness import Harness, ListedRegistrations, registration_for
from small_ehr import SmallEHR


@pytest.fixture
def ehr() -> Iterator[SmallEHR]:
    ehr = SmallEHR()
    yield ehr
    ehr.stop()


@pytest.fixture
def harness(ehr: SmallEHR) -> Harness:
    return Harness(ListedRegistrations(registration_for(ehr)))
