"""The records that travel between the stages, and the words for their axes.

Axis glossary, used everywhere:
    B clips, T frames, h w patch grid, N = h*w patches, S input side in pixels, D embedding width,
    H heads, L layers, K classes. Token 0 is CLS.

All records are frozen. Arrays inside them are not to be written to; make a new record instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

HeadFusion = Literal["mean", "max", "min"]
# How a model's attention joins space and time. "factorised": each frame by itself, then the frames'
# embeddings (STAM). The others take the clip whole: "divided" alternates time and space in every
# layer, "joint" lets every patch see every other, "space" averages frames that never meet.
Scheme = Literal["factorised", "divided", "joint", "space"]
# How the authors' loader lays T frames over its span: one after each step of time from the first
# frame on, or spread so that the last one lies at the span's very end.
OfficialRule = Literal["stepped", "spread"]
# Told what is being done, in a few words, and the share of it that is done, in [0,1].
Progress = Callable[[str, float], None]


class Cancel(Protocol):
    """Says that an answer is not wanted any more, as a `threading.Event` can; often asked."""

    def is_set(self) -> bool:
        """Whether nobody wants the answer any more."""


# How much of the spatial attention maps a recording keeps: the CLS rows alone, one map a layer with
# its heads fused, or every head. At ViT-B, 16 frames: 1.8 MB, 30 MB, 358 MB.
MapStorage = Literal["rows", "mean", "max", "min", "full"]


class _ShapeRepr:
    """Prints arrays and tensors as their shape and type, so that a record fits on a line."""

    def __repr__(self) -> str:
        parts = []
        for entry in fields(self):  # type: ignore[arg-type]
            value = getattr(self, entry.name)
            shape = getattr(value, "shape", None)
            text = repr(value) if shape is None else f"{list(shape)} {value.dtype}"
            parts.append(f"{entry.name}={text}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True)
class VideoInfo:
    """What is known about a video file (or array) before any frame is chosen."""

    width: int  # pixels, as displayed (after rotation)
    height: int  # pixels, as displayed
    rotation: int  # degrees clockwise that were applied to show it upright: 0, 90, 180 or 270
    fps: float  # average frames per second
    n_frames: int
    n_frames_counted: bool  # True: counted; False: estimated from duration and fps
    duration_seconds: float
    codec: str
    container: str
    decoder: Literal["decord", "pyav", "array"]
    decoder_reason: str = ""  # why this decoder, in a few words
    notes: tuple[str, ...] = ()  # sentences on what is unusual about its pictures or times


@dataclass(frozen=True, eq=False, repr=False)
class Clip(_ShapeRepr):
    """T frames of one video, chosen and decoded, as displayed."""

    frames: NDArray[np.uint8]  # [T,H,W,3] RGB in 0..255
    frame_indices: NDArray[np.int64]  # [T] index in display order of the whole video
    seconds: NDArray[np.float64]  # [T] time of each frame, in seconds from the video's first frame
    info: VideoInfo
    digest: str  # SHA-256 over the source's bytes and the choice of frames: its identity in caches
    notes: tuple[str, ...] = ()  # sentences for the person: frames repeat, ...

    def __post_init__(self) -> None:
        _require(self.frames.ndim == 4 and self.frames.shape[-1] == 3, "frames must be [T,H,W,3]")
        _require(self.frames.dtype == np.uint8, "frames must be uint8")
        n = len(self.frames)
        _require(len(self.frame_indices) == n, "one index per frame")
        _require(len(self.seconds) == n, "one time per frame")

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.frames)


@dataclass(frozen=True)
class CropBox:
    """The part of the displayed frame that the model saw, as fractions of it in [0,1]."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Preprocessing:
    """How frames become model input.

    `fit` "crop": short side to `resize_side`, then the central square of `side`.
    """

    resize_side: int  # pixels; short side after resizing
    side: int  # pixels; S
    fit: Literal["crop", "squish"] = "crop"  # "squish": both sides to `side`, aspect ratio given up
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # subtracted from values in [0,1]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    # "plain": bilinear between the four nearest pixels also when shrinking, on floats
    resampling: Literal["antialiased", "plain"] = "antialiased"


@dataclass(frozen=True)
class WeightsInfo:
    """Where a model's weights come from and what may be done with them."""

    source: str  # an https URL, or a file name inside assets/
    licence: str
    embedded: bool  # True: shipped in assets/, nothing to download
    n_bytes: int | None = None  # size in bytes; None where the source publishes none
    sha256: str | None = None  # None: the digest is recorded when first fetched


@dataclass(frozen=True)
class ModelInfo:
    """Everything about a named model that can be said without building it."""

    name: str  # "stam-16"
    title: str  # "STAM-16, Kinetics-400"
    family: str  # key of models.FAMILIES
    config: Any  # the family's frozen configuration record (Any: each family has its own)
    labels: tuple[str, ...]  # [K]
    num_frames: int  # T
    preprocessing: Preprocessing
    sampling: str  # default sampling policy: "uniform"
    official_fps: float | None  # frames per second of the official loader; None where there is none
    weights: WeightsInfo
    paper: str  # arXiv number
    summary: str  # one plain sentence: what it knows, and what it does not
    published: dict[str, float] = field(default_factory=dict)  # figures its authors state, by name
    official_rule: OfficialRule = "stepped"  # how its loader lays the frames

    @property
    def scheme(self) -> Scheme:
        """How its attention joins space and time."""
        scheme: Scheme = self.config.scheme
        return scheme

    @property
    def patch_grid(self) -> tuple[int, int]:
        """(h, w) patches per frame."""
        n: int = self.preprocessing.side // self.config.patch_size
        return n, n


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(_ShapeRepr):
    """The model's answer for one clip."""

    logits: NDArray[np.float32]  # [K]
    probabilities: NDArray[np.float32]  # [K] softmax of logits, sums to 1
    labels: tuple[str, ...]  # [K]

    def __post_init__(self) -> None:
        n_classes = len(self.labels)
        _require(len(self.logits) == n_classes, "one logit per class")
        _require(len(self.probabilities) == n_classes, "one probability per class")

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The `k` likeliest labels with their probabilities, likeliest first."""
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]


@dataclass(frozen=True)
class Target:
    """What an explanation speaks about: a class's logit, or how far it lies above another's."""

    index: int  # class, 0..K-1
    foil: int | None = None  # "why `index` rather than this class?"; None: the class by itself

    def of(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits [...,K] -> [...]."""
        value = logits[..., self.index]
        return value if self.foil is None else value - logits[..., self.foil]


class _Held(_ShapeRepr):
    """Knows its own size."""

    @property
    def n_bytes(self) -> int:
        """Memory held, in bytes."""
        values = (getattr(self, entry.name) for entry in fields(self))  # type: ignore[arg-type]
        return sum(int(getattr(value, "nbytes", 0)) for value in values)


@dataclass(frozen=True, eq=False, repr=False)
class Trace(_Held):
    """What one recorded pass of a factorised model left behind; tensors are float32 on the CPU."""

    logits: torch.Tensor  # [K]
    frame_embeddings: torch.Tensor  # [T,D]
    space_cls_rows: torch.Tensor  # [L,T,H,N+1] attention of CLS after softmax; rows sum to 1
    # [L,T,N+1,N+1] heads fused, not renormalised; [L,T,H,N+1,N+1] for "full"; None for "rows"
    space_maps: torch.Tensor | None
    time_maps: torch.Tensor  # [L,H,T+1,T+1] after softmax; rows sum to 1
    maps: MapStorage  # what was asked to be stored of the spatial maps
    patch_grid: tuple[int, int]  # (h, w)


@dataclass(frozen=True, eq=False, repr=False)
class SpaceTrace(_Held):
    """As `Trace`, of a model of the scheme "space": it has no attention in time."""

    logits: torch.Tensor  # [K]
    space_cls_rows: torch.Tensor  # [L,T,H,N+1]
    space_maps: torch.Tensor | None  # [L,T,N+1,N+1]; [L,T,H,N+1,N+1] for "full"; None for "rows"
    maps: MapStorage
    patch_grid: tuple[int, int]  # (h, w)


@dataclass(frozen=True, eq=False, repr=False)
class DividedTrace(SpaceTrace):
    """Of divided attention, where patches of one place also attend across the frames, without CLS.

    Each frame's CLS row is that of its own copy of CLS.
    """

    time_received: torch.Tensor  # [L,H,T] each frame's share, mean over places and asking frames
    time_maps: torch.Tensor | None  # [L,N,T,T]; [L,N,H,T,T] for "full"; None for "rows"


@dataclass(frozen=True, eq=False, repr=False)
class JointTrace(_Held):
    """Of joint attention: CLS, then patch p of frame t as token 1 + t*N + p."""

    logits: torch.Tensor  # [K]
    cls_rows: torch.Tensor  # [L,H,1+T*N] after softmax; rows sum to 1
    joint_maps: torch.Tensor | None  # [L,1+T*N,1+T*N]; with [H,...] for "full"; None for "rows"
    maps: MapStorage
    patch_grid: tuple[int, int]  # (h, w)


AnyTrace = Trace | SpaceTrace | DividedTrace | JointTrace


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(_ShapeRepr):
    """Raw scores of one method. Normalising and colouring belong to `render`."""

    method: str
    target: int | None  # class index the scores speak about; None: the method knows no class
    frames: NDArray[np.float32] | None  # [T]
    patches: NDArray[np.float32] | None  # [T,h,w]
    signed: bool  # True: negative scores speak against the target
    unattributed: (
        float | None
    )  # share that lands on no frame or patch (CLS tokens); None where undefined
    parameters: dict[str, Any]  # the method's fields as used
    passes: float  # cost, in full forward passes of the model
    seconds: float  # wall clock
    foil: int | None = None  # the scores are about `target` rather than this class
    pairs: NDArray[np.float32] | None = None  # [T,T] symmetric, zero diagonal: of two frames
    # Named rows of values [n] that are no score of a frame each: curves, distributions.
    series: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)  # named checks and single figures
    done: float = 1.0  # share of the work behind these scores; below 1 in a stream of partial ones

    def __post_init__(self) -> None:
        if self.frames is not None and self.patches is not None:
            _require(len(self.frames) == len(self.patches), "frames and patches must agree on T")
        if self.frames is not None and self.pairs is not None:
            _require(len(self.frames) == len(self.pairs), "frames and pairs must agree on T")
