"""Truth scores of a model's explanations over freshly rendered clips.

Clips are rendered at the side that the model resizes to, so no frame is resized; the mask of the
moving limbs goes through the same crop as the frames.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stam_core.actions import RenderedClips, RenderSpec, rendered_batches
from stam_core.explain import find_explainer, methods_of
from stam_core.metrics.chance import DRAWS, TruthScore, TruthSummary, summarise
from stam_core.metrics.truth import (
    DECIDING_FRAME_RECALL,
    KEY_FRAME_RECALL,
    MASS_IN_MASK,
    POINTING_GAME,
    key_frame_recall,
    mass_in_mask,
    patch_shares,
    pointing_game,
)
from stam_core.types import Clip, CropBox, Explanation, ModelInfo, Prediction, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 16  # clips rendered at a time: 10 MB at 112 px
Maps = tuple["NDArray[np.floating] | None", "NDArray[np.floating] | None"]  # [T]; [T,h,w]
Judged = dict[str, TruthScore | None]  # one map's scores, by the score's name
Scores = dict[tuple[str, str], list[TruthScore | None]]  # by method and score, one a clip


class Asked(Protocol):
    """What is asked of an engine here (metrics stand below it and do not import it)."""

    @property
    def info(self) -> ModelInfo:
        """The model's facts."""
        ...

    def open(self, source: NDArray[np.uint8]) -> Clip:
        """Frames [n,H,W,3] as a clip."""
        ...

    def predict(self, clip: Clip) -> Prediction:
        """The answer for a clip."""
        ...

    def explain(self, clip: Clip, *, method: str) -> Explanation:
        """Raw scores of one method."""
        ...

    def crop_box(self, clip: Clip) -> CropBox:
        """The part of the frames that the model sees."""
        ...


@dataclass(frozen=True)
class TruthRow:
    """One method under one score, over all clips.

    `other_clip` is the mean that the same maps get against the truth of the *next* clip, which
    shows another action: a map that always says "the middle of the picture" or "the middle of the
    clip" does as well there as on its own clip, and above chance in both.
    """

    method: str
    summary: TruthSummary
    other_clip: float | None  # share in [0,1]; None where nothing could be counted


def pixel_change(frames: NDArray[np.uint8], grid: tuple[int, int], box: CropBox) -> Maps:
    """How much the picture changes around each frame: no model, only pixels."""
    grey = frames.astype(np.float32).mean(axis=3)  # [T,H,W]
    patches = patch_shares(np.abs(np.gradient(grey, axis=0)), grid, box)
    return patches.mean(axis=(1, 2)), patches


def centre(frames: NDArray[np.uint8], grid: tuple[int, int], box: CropBox) -> Maps:
    """Higher towards the middle of picture and clip, whatever they show."""
    del box  # its middle is that of the patches
    t, y, x = (np.linspace(-1.0, 1.0, n) for n in (len(frames), *grid))
    space = np.exp(-2.0 * (y[:, None] ** 2 + x**2))
    return np.exp(-2.0 * t**2), np.broadcast_to(space, (len(frames), *grid))


# References that ask no model, judged as the methods are. A method that does not beat them has not
# shown that the model's attention says more than the pixels' change or people's usual place.
CONTROLS: dict[str, Callable[[NDArray[np.uint8], tuple[int, int], CropBox], Maps]] = {
    "control: pixel change": pixel_change,
    "control: centre": centre,
}


def render_spec(info: ModelInfo) -> RenderSpec:
    """Clips of the full variety at the size which that model takes without resizing."""
    rule = info.preprocessing
    side = rule.side if rule.fit == "squish" else rule.resize_side
    return RenderSpec(width=side, height=side, num_frames=info.num_frames)


def score_rendered(
    engine: Asked,
    methods: Sequence[str] | None = None,
    *,
    n: int = 500,
    seed: int = 7,
    workers: int = 1,
    tolerance: int = 0,
    draws: int = DRAWS,
    controls: bool = True,
    progress: Progress | None = None,
) -> list[TruthRow]:
    """Truth scores of explanation methods over `n` freshly rendered clips.

    Every clip counts, whether its action was recognised or not; a method that speaks about a class
    is asked about the predicted one. See `truth` for what the scores mean, and do not mean.

    Args:
        engine: an `Engine`.
        methods: keys of `EXPLAINERS`; None: all that can speak about the model.
        n: how many clips; the actions take turns.
        seed: of the clips.
        workers: processes that render.
        tolerance: of the pointing game, in patches.
        draws: shuffles of each clip behind the random band.
        controls: add the references that ask no model.
        progress: called with a word and the share done.

    Raises:
        UnknownNameError: no such method.
        ParameterError: `n` is not positive.
    """
    names = methods_of(engine.info) if methods is None else list(methods)
    for name in names:
        find_explainer(name)
    found: Scores = defaultdict(list)
    crossed: Scores = defaultdict(list)
    before: dict[str, Maps] = {}
    batches = rendered_batches(
        n, seed=seed, spec=render_spec(engine.info), workers=workers, batch=BATCH
    )
    answers = _explained(engine, batches, names, controls=controls)
    for done, (maps, judge) in enumerate(answers):
        judge = partial(judge, tolerance=tolerance)
        _collect(found, maps, partial(judge, draws=draws, seed=done))
        _collect(crossed, before, partial(judge, draws=1, seed=0))
        before = maps
        if progress:
            progress("scoring explanations", (done + 1) / n)
    return _rows(found, crossed)


def _explained(
    engine: Asked, batches: Iterator[RenderedClips], names: list[str], *, controls: bool
) -> Iterator[tuple[dict[str, Maps], Callable[..., Judged]]]:
    """Of every clip: each method's maps, and `judge_maps` with the clip's truth filled in."""
    grid = engine.info.patch_grid
    for clips in batches:
        masks = clips.moving_mask()
        for i in range(len(clips)):
            clip = engine.open(clips.frames[i])
            box = engine.crop_box(clip)
            maps = {name: _maps(engine.explain(clip, method=name)) for name in names}
            if controls:
                maps |= {name: ask(clip.frames, grid, box) for name, ask in CONTROLS.items()}
            judge = partial(
                judge_maps,
                keys=clips.key_frames[i][clip.frame_indices],
                deciding=clips.deciding[i][clip.frame_indices],
                shares=patch_shares(masks[i][clip.frame_indices], grid, box),
            )
            yield maps, judge


def _maps(explanation: Explanation) -> Maps:
    return explanation.frames, explanation.patches


def judge_maps(
    maps: Maps,
    *,
    keys: NDArray[np.bool_],
    deciding: NDArray[np.bool_],
    shares: NDArray[np.float64],
    tolerance: int,
    draws: int,
    seed: int,
) -> Judged:
    """The scores that a method's output allows: of frames, of patches, or of both."""
    frames, patches = maps
    scores: Judged = {}
    if frames is not None:
        scores[KEY_FRAME_RECALL] = key_frame_recall(frames, keys, draws=draws, seed=seed)
        scores[DECIDING_FRAME_RECALL] = key_frame_recall(
            frames, deciding, name=DECIDING_FRAME_RECALL, draws=draws, seed=seed
        )
    if patches is not None:
        scores[POINTING_GAME] = pointing_game(
            patches, shares, tolerance=tolerance, draws=draws, seed=seed
        )
        scores[MASS_IN_MASK] = mass_in_mask(patches, shares, draws=draws, seed=seed)
    return scores


def _collect(
    into: Scores,
    maps: dict[str, Maps],
    judge: Callable[[Maps], Judged],
) -> None:
    for method, both in maps.items():
        for kind, score in judge(both).items():
            into[method, kind].append(score)


def _rows(found: Scores, crossed: Scores) -> list[TruthRow]:
    """One row for each method and score; scores together, in the order of the methods."""
    rows = []
    for kind in (KEY_FRAME_RECALL, DECIDING_FRAME_RECALL, MASS_IN_MASK, POINTING_GAME):
        for method, asked in found:
            if asked != kind:
                continue
            summary = summarise(found[method, kind])
            others = [score.value for score in crossed[method, kind] if score is not None]
            if summary is not None:
                rows.append(TruthRow(method, summary, float(np.mean(others)) if others else None))
    return rows
