"""What is known about each named model before it is built; one function per kind of model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from stam_core.errors import WeightsError
from stam_core.models import labels
from stam_core.models.checkpoint import read_metadata
from stam_core.models.described import describe_model
from stam_core.models.stam import StamConfig
from stam_core.models.timesformer import TimeSformerConfig
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

# The models in `assets/`: title, and how their frames meet where that is not as STAM has it.
_EMBEDDED = {
    "stam-actions": ("STAM", ""),
    "timesformer-actions": (
        "TimeSformer (divided)",
        "its patches see their own place in all frames, then their own frame; ",
    ),
    "joint-actions": (
        "TimeSformer (joint)",
        "its patches see each other across all frames at once; ",
    ),
}

REFERENCE_FPS = 30.0  # in which the authors of TimeSformer count frames

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


TIMESFORMER_PAPER = "2102.05095"
_HUGGING_FACE = "https://huggingface.co/facebook/timesformer-{}-finetuned-k400/resolve/main/"
_DROPBOX = "https://www.dropbox.com/s/r1iuxahif3sgimo/TimeSformer_divST_96x4_224_K400.pyth?dl=1"


@dataclass(frozen=True)
class _PublishedTimeSformer:
    """One row of the authors' model zoo."""

    title: str
    num_frames: int
    side: int  # pixels
    rate: int  # one frame in this many, at 30 frames per second
    source: str
    n_bytes: int | None
    published: dict[str, float]


# Source: README of facebookresearch/TimeSformer; 1e9 multiply-accumulates counted by running it.
# The long model is to be had from its authors alone, in a file that may hold more than weights.
_TIMESFORMERS = {
    "base": _PublishedTimeSformer(
        "TimeSformer", 8, 224, 32, _HUGGING_FACE.format("base") + "pytorch_model.bin",
        4 * 121_566_352,
        {"kinetics400_top1_percent": 77.9, "kinetics400_top5_percent": 93.2,
         "gmacs_per_clip": 195.8},
    ),
    "hr": _PublishedTimeSformer(
        "TimeSformer-HR", 16, 448, 16, _HUGGING_FACE.format("hr") + "pytorch_model.bin",
        4 * 122_024_080,
        {"kinetics400_top1_percent": 79.6, "kinetics400_top5_percent": 94.0,
         "gmacs_per_clip": 1702.7},
    ),
    "l": _PublishedTimeSformer(
        "TimeSformer-L", 96, 224, 4, _DROPBOX, None,
        {"kinetics400_top1_percent": 80.6, "kinetics400_top5_percent": 94.7,
         "gmacs_per_clip": 2379.9},
    ),
}  # fmt: skip


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
def rendered_actions(name: str) -> ModelInfo:
    """A small model that comes with the project; its sizes and labels stand in its own file.

    Args:
        name: a key of `_EMBEDDED`, and the file's name in `assets/`.

    Raises:
        WeightsError: The file is not there or does not describe itself.
    """
    path = ASSETS / f"{name}.safetensors"
    if not path.is_file():
        raise WeightsError(
            f"The embedded model's file assets/{path.name} is missing. "
            "Fetch it again with the project, or make it with `python -m stam_core train`."
        )
    info = describe_model(path, read_metadata(path))
    names = ", ".join(info.labels)
    title, frames_meet = _EMBEDDED[name]
    return replace(
        info,
        name=name,
        title=f"{title}, rendered actions (embedded)",
        weights=replace(info.weights, licence="Apache-2.0", embedded=True),
        summary=(
            f"Knows {len(info.labels)} actions of rendered people ({names}); {frames_meet}"
            "real-world video needs the Kinetics weights."
        ),
    )


@cache
def timesformer_kinetics(variant: str) -> ModelInfo:
    """A published TimeSformer: divided attention, ViT-B/16 sizes, trained on Kinetics-400.

    Its authors' loader spreads the frames over a span of fixed length
    (`stam_core.video.sample_spread`). The file sizes are estimates: parameters x 4 bytes.

    Args:
        variant: "base", "hr" (448 pixels) or "l" (96 frames).

    Source: repository facebookresearch/TimeSformer (code and weights CC-BY-NC 4.0).
    """
    facts = _TIMESFORMERS[variant]
    span_seconds = facts.num_frames * facts.rate / REFERENCE_FPS
    return ModelInfo(
        name=f"timesformer-{variant}",
        title=f"{facts.title}, Kinetics-400",
        family="timesformer",
        config=TimeSformerConfig(side=facts.side, num_frames=facts.num_frames),
        labels=labels.kinetics_400(),
        num_frames=facts.num_frames,
        preprocessing=Preprocessing(
            resize_side=facts.side,
            side=facts.side,
            mean=(0.45, 0.45, 0.45),
            std=(0.225, 0.225, 0.225),
            resampling="plain",
        ),
        sampling="uniform",
        official_fps=REFERENCE_FPS / facts.rate,
        official_rule="spread",
        weights=WeightsInfo(
            source=facts.source,
            licence="CC-BY-NC 4.0 (not for commercial use)",
            embedded=False,
            n_bytes=facts.n_bytes,
        ),
        paper=TIMESFORMER_PAPER,
        summary=(
            f"Knows the 400 human actions of Kinetics-400, from {facts.num_frames} frames whose "
            "patches see each other across frames; it always picks among them. Its authors show "
            f"it the first {span_seconds:.3g} s of a clip, in three crops."
        ),
        published=dict(facts.published),
    )
