"""A trained model as one safetensors file that says all that is needed to build and feed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file

from stam_core.models import FAMILIES
from stam_core.train.files import write_whole
from stam_core.types import Preprocessing

if TYPE_CHECKING:
    from stam_core.models.stam import Stam
    from stam_core.models.timesformer import TimeSformer


def write_checkpoint(
    path: Path,
    model: Stam | TimeSformer,
    *,
    labels: Sequence[str],
    preprocessing: Preprocessing,
    recipe: Mapping[str, Any],
) -> Path:
    """Write the model as float16, whole or not at all.

    Args:
        path: of the file.
        model: to write.
        labels: [K] in the order of the head.
        preprocessing: of the model.
        recipe: what the training was told, as JSON can hold it.

    Raises:
        TrainingError: the file cannot be written.
    """
    metadata = {
        "family": next(name for name, kind in FAMILIES.items() if kind is type(model)),
        "config": json.dumps(asdict(model.config)),
        "labels": json.dumps(list(labels)),
        "preprocessing": json.dumps(asdict(preprocessing)),
        "recipe": json.dumps(recipe),
    }
    tensors = {
        name: value.detach().cpu().half().contiguous() for name, value in model.state_dict().items()
    }

    def write(part: Path) -> None:
        save_file(tensors, part, metadata=metadata)
        part.chmod(0o644)  # safetensors lets nobody else read what it writes

    return write_whole(path, write)
