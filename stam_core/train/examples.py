"""The app's example clips: rendered larger, on a held-out seed, known to the shipped model.

python -m stam_core.train.examples [CHECKPOINT]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from stam_core.actions.dataset import RenderedClips, RenderSpec, render_clip
from stam_core.actions.motions import LABELS
from stam_core.actions.stored_truth import write_truth
from stam_core.errors import ParameterError
from stam_core.models import load_model
from stam_core.types import Preprocessing
from stam_core.video.encode import write_mp4
from stam_core.video.preprocess import preprocess
from stam_core.video.sample import uniform_indices

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED = 2021  # below 2**32, so never trained on
FPS = 25.0
_TRIES = 40
_LEAST_PROBABILITY = 0.7


@dataclass(frozen=True)
class Example:
    """One clip to render."""

    action: str
    file: str
    title: str
    num_frames: int
    index: int  # first clip to try


EXAMPLES = (
    Example("jumping jacks", "jumping-jacks.mp4", "Jumping jacks", 84, 4),
    Example("wave two hands", "wave-two-hands.mp4", "Waving both hands", 78, 10),
    Example("kick", "kick.mp4", "Kicking", 78, 15),
    Example("walk", "walk.mp4", "Walking", 84, 21),
    Example("sit down", "sit-down.mp4", "Sitting down", 78, 9),
    Example("stand up", "stand-up.mp4", "Standing up", 78, 9),
    Example("fall down", "fall-down.mp4", "Falling down", 70, 7),
    Example("pick up", "pick-up.mp4", "Picking up", 78, 11),
)


def write_examples(folder: Path, model: nn.Module, preprocessing: Preprocessing) -> list[Path]:
    """Render every example and list them in `examples.json` (file, title, label).

    The truth about each (key frames, moving limbs) lies beside it; see `actions.stored_truth`.

    From a clip chosen for its view on, the first that the model recognises with a probability of at
    least 0.7 is
    taken: examples show what the maps look like, not how accurate the model is.

    Args:
        folder: receives the clips.
        model: clip input [B,T,3,S,S] -> logits [B,K].
        preprocessing: of the model.

    Raises:
        ParameterError: the model recognises none of an action's clips.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for example in EXAMPLES:
        clip = _recognised(example, model, preprocessing)
        written.append(write_mp4(folder / example.file, clip.frames[0], FPS, quality=24))
        write_truth(written[-1], clip)
    entries = [{"file": e.file, "title": e.title, "label": e.action} for e in EXAMPLES]
    (folder / "examples.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return written


def _recognised(example: Example, model: nn.Module, preprocessing: Preprocessing) -> RenderedClips:
    """The first rendering of the example that the model recognises, a batch of one."""
    spec = RenderSpec(width=480, height=360, num_frames=example.num_frames, fps=FPS, clutter=0.5)
    for index in range(example.index, example.index + _TRIES):
        clip = render_clip(index, seed=SEED, spec=spec, action=example.action)
        frames: NDArray[np.uint8] = clip.frames[0]
        chosen = frames[uniform_indices(len(frames), 16)]
        x, _ = preprocess(chosen, preprocessing)
        with torch.inference_mode():
            probability = model(x[None]).softmax(dim=-1)[0, LABELS.index(example.action)]
        if float(probability) >= _LEAST_PROBABILITY:
            return clip
    raise ParameterError(
        f"The model recognises none of {_TRIES} clips of {example.action!r}; train it further."
    )


def main(arguments: list[str]) -> None:
    """Write the examples of a checkpoint beside it."""
    checkpoint = Path(arguments[0] if arguments else "assets/stam-actions.safetensors")
    loaded = load_model("stam-actions", weights=checkpoint)
    folder = checkpoint.parent / "examples"
    for path in write_examples(folder, loaded.model, loaded.info.preprocessing):
        sys.stdout.write(f"{path} {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
