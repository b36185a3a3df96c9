"""Fixtures every test may use."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

if TYPE_CHECKING:
    from app.analysis import Analyst

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden numbers and test clips beside the project; a user's clone has none."""
    folder = ROOT.parent / "shared"
    if not (folder / "parity").is_dir():
        pytest.skip(
            "needs the folder of golden numbers and clips (../shared), absent from a user's clone"
        )
    return folder


@pytest.fixture(scope="module")
def analyst() -> Analyst:
    """What answers the page's questions, with the embedded model; one for all tests of a module."""
    from app.analysis import Analyst

    return Analyst()


@pytest.fixture(scope="module", autouse=True)
def _no_loop_of_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """The browser tests leave their event loop in this thread; nobody else's would run there."""
    if "browser" in request.path.parts:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture(autouse=True)
def _same_seed_and_restored() -> Iterator[None]:
    """Every test starts from the same seeds and leaves the generators as it found them."""
    legacy = np.random.get_state()  # noqa: NPY002 - libraries under test may still use it
    states = random.getstate(), torch.get_rng_state()
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    yield
    random.setstate(states[0])
    np.random.set_state(legacy)  # noqa: NPY002
    torch.set_rng_state(states[1])
