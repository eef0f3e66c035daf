"""The checkout, as the architecture tests see it."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def sources(root) -> list[Path]:
    """Every Python file that is shipped."""
    return sorted(
        path
        for folder in ("framework", "backends", "plugins", "contrib")
        for path in (root / folder).glob("**/src/**/*.py")
    )
