"""What is known about each named model before it is built; one function per kind of model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from stam_core.errors import WeightsError
from stam_core.models import labels
from stam_core.models.checkpoint import read_metadata
from stam_core.models.described import describe_model
from stam_core.models.stam import StamConfig
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

ASSETS = Path(__file__).resolve().parents[2] / "assets"
PAPER = "2103.13915"

_URL = "https://miil-public-eu.oss-eu-central-1.aliyuncs.com/model-zoo/STAM/v2/stam_{}.pth"
_SPAN_SECONDS = 10  # the official loader's T frames always span 10 s: 16 at 1.6 per second, ...
# Parameters of a published STAM less its T frame positions (768 numbers each); 4 bytes per number.
_PARAMETERS_WITHOUT_FRAMES = 119_193_232

# The authors' own table: top-1 on Kinetics-400 in percent, 1e9 multiply-accumulates, speed.
_PUBLISHED = {
    8: {"kinetics400_top1_percent": 77.5, "gmacs_per_clip": 135.0},
    16: {
        "kinetics400_top1_percent": 79.3,
        "gmacs_per_clip": 270.0,
        "v100_videos_per_second": 20.0,
    },
    32: {"kinetics400_top1_percent": 79.95, "gmacs_per_clip": 540.0},
    64: {
        "kinetics400_top1_percent": 80.5,
        "gmacs_per_clip": 1080.0,
        "v100_videos_per_second": 4.8,
    },
}


@cache
def stam_kinetics(num_frames: int) -> ModelInfo:
    """A published STAM: ViT-B/16 per frame, 6 temporal layers, trained on Kinetics-400.

    Source: repository Alibaba-MIIL/STAM (Apache-2.0). The file size is an estimate:
    parameters x 4 bytes.
    """
    summary = (
        f"Knows the 400 human actions of Kinetics-400, from {num_frames} frames; "
        "it always picks among them, also for clips that show none."
    )
    if num_frames == 8:
        summary += (
            " Its frame rate of 0.8 per second is inferred from its siblings, stated nowhere."
        )
    return ModelInfo(
        name=f"stam-{num_frames}",
        title=f"STAM-{num_frames}, Kinetics-400",
        family="stam",
        config=StamConfig(num_frames=num_frames),
        labels=labels.kinetics_400(),
        num_frames=num_frames,
        preprocessing=Preprocessing(resize_side=256, side=224),
        sampling="uniform",
        official_fps=num_frames / _SPAN_SECONDS,
        weights=WeightsInfo(
            source=_URL.format(num_frames),
            licence="Apache-2.0",
            embedded=False,
            n_bytes=4 * (_PARAMETERS_WITHOUT_FRAMES + 768 * num_frames),
        ),
        paper=PAPER,
        summary=summary,
        published=dict(_PUBLISHED[num_frames]),
    )


@cache
def stam_actions() -> ModelInfo:
    """The small STAM that comes with the project; its sizes and labels stand in its own file.

    Raises:
        WeightsError: The file is not there or does not describe itself.
    """
    path = ASSETS / "stam-actions.safetensors"
    if not path.is_file():
        raise WeightsError(
            f"The embedded model's file assets/{path.name} is missing. "
            "Fetch it again with the project, or make it with `python -m stam_core train`."
        )
    info = describe_model(path, read_metadata(path))
    names = ", ".join(info.labels)
    return replace(
        info,
        name="stam-actions",
        title="STAM, rendered actions (embedded)",
        weights=replace(info.weights, licence="Apache-2.0", embedded=True),
        summary=(
            f"Knows {len(info.labels)} actions of rendered people ({names}); "
            "real-world video needs the Kinetics weights."
        ),
    )
