import pytest

pytest.register_assert_rewrite("tests.scenarios.player", "tests.scenarios.endings")
