"""The site that the tests of deliveries begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivered import FILES
from tests.intake_site import DIAGNOSES, PATIENTS, contract
from tests.intake_site import site as made_site


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A site with one good delivery, d1, which no night has read yet."""
    made_site(tmp_path / "site", contract(PATIENTS, DIAGNOSES), FILES)
    return tmp_path / "site"
