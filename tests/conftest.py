"""Fixtures that several test files use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from livefake.engine.weights import Weights
from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.studio import Studio

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """The real networks and personas, loaded once."""
    chosen = read_settings(os.environ)
    weights = Weights(models_folder() / "manifest.toml", chosen.cache / "weights")
    weights.fetch(print)
    cache: Path = tmp_path_factory.mktemp("cache")
    studio = Studio(models_folder(), weights, cache, issuer=0x123456)
    studio.warm_up()
    return studio
