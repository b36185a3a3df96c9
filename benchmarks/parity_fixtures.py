"""Golden numbers on disk, and the record of one output held against them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stam_core.errors import WeightsError
from stam_core.models.checkpoint import Checkpoint, read_checkpoint

# The "model" of a fixture, by how it begins -> the family it belongs to.
FAMILIES = {
    "STAM": "stam",
    "TimeSformer": "timesformer",
    "HF Timesformer": "hf_timesformer",
    "Video Swin": "swin3d",
    "X3D": "x3d",
    "X-ViT": "xvit",
}
Json = dict[str, Any]  # parsed JSON: any value


@dataclass(frozen=True)
class Comparison:
    """One output of the project beside the official one."""

    fixture: str
    family: str
    output: str
    difference: float | None = None  # largest absolute one; None: there is none to state
    tolerance: float | None = None  # None: not implemented
    error: str = ""  # why there is no difference although there should be one

    @property
    def implemented(self) -> bool:
        """Whether anything was compared at all."""
        return self.tolerance is not None or bool(self.error)

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the project here."""
        if self.difference is None or self.tolerance is None:
            return not self.implemented
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        if not self.implemented:
            verdict = "not implemented"
        elif self.difference is None:
            verdict = f"BEYOND TOLERANCE: {self.error}"
        else:
            verdict = f"{self.difference:9.2e}  of {self.tolerance:.0e}"
            verdict += "" if self.ok else "  BEYOND TOLERANCE"
        return f"{self.fixture:22} {self.family:15} {self.output:34} {verdict}"


@dataclass(frozen=True)
class Fixture:
    """One question to an official code and its answers."""

    name: str
    facts: Json
    path: Path  # of the tensors; absent where the JSON holds everything

    @property
    def family(self) -> str:
        """Key of FAMILIES' values, or the fixture's own word for what it holds."""
        model: str = self.facts["model"]
        return next((ours for start, ours in FAMILIES.items() if model.startswith(start)), model)

    def tensors(self) -> Checkpoint:
        """The tensors, after the file's digest has been held against the JSON's."""
        checkpoint = read_checkpoint(self.path)
        stated = self.facts.get("sha256")
        if stated not in (None, checkpoint.sha256):
            raise WeightsError(
                f"{self.path.name} is not the file its JSON speaks of: other SHA-256."
            )
        return checkpoint

    def compare(
        self, family: str, output: str, ours: torch.Tensor, golden: torch.Tensor, tolerance: float
    ) -> Comparison:
        """The largest absolute difference, or why there is none."""
        difference, error = None, ""
        if ours.shape != golden.shape:
            error = f"shape {list(ours.shape)} instead of {list(golden.shape)}"
        elif not ours.isfinite().all():
            error = "not finite"
        else:
            difference = float((ours.double() - golden.double()).abs().max())
        return Comparison(self.name, family, output, difference, tolerance, error)

    def missing(self, family: str, output: str) -> Comparison:
        """What the project cannot do yet."""
        return Comparison(self.name, family, output)


def find_fixtures(folder: Path) -> list[Fixture]:
    """The fixtures in a folder, by name; empty where it holds none."""
    fixtures = []
    for path in sorted(folder.glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(facts, dict) and isinstance(facts.get("model"), str):
            fixtures.append(Fixture(path.stem, facts, path.with_suffix(".safetensors")))
    return fixtures
