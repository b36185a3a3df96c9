"""All methods on one clip after another: faithfulness, truth where it is known, seconds.

Every method is asked with its own defaults about the class that the model predicts, right or wrong;
one whose defaults leave frames unmeasured (`ExplainerInfo.in_full`) is asked about all of them.
Beside the methods stand references that ask no model (`rendered.CONTROLS`) and random scores, which
must come out at chance: a method that does not beat them has shown nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stam_core.actions import RenderedClips, render_clip
from stam_core.errors import ParameterError, StamError
from stam_core.explain import EXPLAINERS, configure, find_explainer
from stam_core.metrics.chance import TruthScore
from stam_core.metrics.faithfulness import Faithfulness, Measure, frame_bands, judge_frames
from stam_core.metrics.patch_faithfulness import judge_patches, patch_band
from stam_core.metrics.randomise import RandomisedStep, randomise
from stam_core.metrics.rendered import CONTROLS, Maps, judge_maps, render_spec
from stam_core.metrics.score_records import ClipScores, Figure, MethodScores, ScoreSettings
from stam_core.metrics.truth import patch_shares
from stam_core.types import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.record import Subject
    from stam_core.types import Clip, CropBox, Explanation, ModelInfo, Prediction

RANDOM = "control: random scores"


class Scored(Protocol):
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

    def explain(
        self,
        clip: Clip,
        *,
        method: str,
        target: int | None,
        **parameters: Any,  # noqa: ANN401 - each method's own fields
    ) -> Explanation:
        """Raw scores of one method."""
        ...

    def crop_box(self, clip: Clip) -> CropBox:
        """The part of the frames that the model sees."""
        ...

    def subject(self, clip: Clip) -> AbstractContextManager[Subject]:
        """The clip before the model, its lock held."""
        ...


@dataclass(frozen=True, eq=False)
class ClipTruth:
    """What is known of a rendered clip, frame by frame as the model sees it."""

    key_frames: NDArray[np.bool_]  # [T] in which the moving parts move most
    deciding: NDArray[np.bool_]  # [T] in which the action is under way
    limb_shares: NDArray[np.float64]  # [T,h,w] share of the patch that shows a moving limb


def scorable(names: Sequence[str] | None = None) -> tuple[str, ...]:
    """The methods that score frames or patches; None: all of them.

    Raises:
        UnknownNameError: no such method.
        ParameterError: one of the named scores neither.
    """
    found = []
    for name in EXPLAINERS if names is None else dict.fromkeys(names):
        if find_explainer(name).info.outputs & {"frames", "patches"}:
            found.append(name)
        elif names is not None:
            raise ParameterError(
                f"{name} scores neither frames nor patches, so it has no ranking to judge."
            )
    return tuple(found)


def rendered_clip(engine: Scored, index: int, *, seed: int) -> tuple[Clip, ClipTruth]:
    """Clip `index` of a freshly rendered list, the actions taking turns, and its truth."""
    rendered = render_clip(index, seed=seed, spec=render_spec(engine.info))
    clip = engine.open(rendered.frames[0])
    return clip, clip_truth(engine, clip, rendered)


def clip_truth(engine: Scored, clip: Clip, rendered: RenderedClips) -> ClipTruth:
    """The truth of a rendered clip (a batch of one) at the frames that were sampled of it."""
    at = clip.frame_indices
    masks = rendered.moving_mask()[0, at]
    return ClipTruth(
        rendered.key_frames[0, at],
        rendered.deciding[0, at],
        patch_shares(masks, engine.info.patch_grid, engine.crop_box(clip)),
    )


def score_clip(
    engine: Scored,
    clip: Clip,
    settings: ScoreSettings,
    *,
    index: int = 0,
    name: str = "",
    truth: ClipTruth | None = None,
    told: Callable[[str], None] | None = None,
) -> ClipScores:
    """Ask every method about a clip and judge what it says.

    A method that cannot answer for this model or clip leaves its reason and stops no other.

    Args:
        engine: an `Engine`.
        clip: from its `open`.
        settings: methods and yardsticks.
        index: of the clip in its list.
        name: of the clip.
        truth: of a rendered clip.
        told: called with the name of the method that is asked next.
    """
    prediction = engine.predict(clip)
    best = int(prediction.logits.argmax())
    maps, scores = _asked(engine, clip, settings.methods, best, told or (lambda _: None))
    if settings.controls:
        maps |= _controls(engine, clip, seed=settings.seed + index)
    # Each clip has its own random orders and ties, so that their luck does not add up over clips.
    settings = replace(settings, seed=settings.seed + index)
    judged = _judged(engine, clip, maps, Target(best), settings)
    forgetful = index < settings.randomised
    for method, found in maps.items():
        asked = method in scores  # references are not
        scores[method] = MethodScores(
            scores[method].seconds if asked else None,
            "",
            *judged[method],
            {} if truth is None else truth_figures(found, truth),
            _randomised(engine, clip, method, Target(best)) if asked and forgetful else (),
        )
    return ClipScores(
        index, name, prediction.labels[best], float(prediction.probabilities[best]), scores
    )


def truth_figures(maps: Maps, truth: ClipTruth) -> dict[str, Figure]:
    """The truth scores of (frames [T] or None, patches [T,h,w] or None), by name."""
    judged = judge_maps(
        maps,
        keys=truth.key_frames,
        deciding=truth.deciding,
        shares=truth.limb_shares,
        tolerance=0,
        draws=1,  # chance is known exactly; no band is drawn
        seed=0,
    )
    return {name: _of_truth(score) for name, score in judged.items() if score is not None}


def _asked(
    engine: Scored,
    clip: Clip,
    methods: Sequence[str],
    target: int,
    told: Callable[[str], None],
) -> tuple[dict[str, Maps], dict[str, MethodScores]]:
    """Each method's maps, and of each method its seconds or its reason for having none."""
    maps: dict[str, Maps] = {}
    scores: dict[str, MethodScores] = {}
    for method in methods:
        told(method)
        about = find_explainer(method).info
        try:
            found = engine.explain(
                clip,
                method=method,
                target=target if about.uses_target else None,
                **about.in_full,
            )
        except StamError as error:
            scores[method] = MethodScores(error=str(error))
            continue
        given = [part for part in (found.frames, found.patches) if part is not None]
        scores[method] = MethodScores(found.seconds)
        if all(np.isfinite(part).all() for part in given):
            maps[method] = (found.frames, found.patches)
        else:
            scores[method] = MethodScores(found.seconds, "Some of its scores are not numbers.")
    return maps, scores


def _randomised(
    engine: Scored, clip: Clip, method: str, target: Target
) -> tuple[RandomisedStep, ...]:
    found = find_explainer(method)
    explainer = configure(found, engine.info, dict(found.info.in_full))
    with engine.subject(clip) as subject:
        return randomise(subject, explainer, target if explainer.info.uses_target else None).steps


def _controls(engine: Scored, clip: Clip, *, seed: int) -> dict[str, Maps]:
    grid, box = engine.info.patch_grid, engine.crop_box(clip)
    rng = np.random.default_rng([seed, 1])
    found = {name: ask(clip.frames, grid, box) for name, ask in CONTROLS.items()}
    found[RANDOM] = (rng.random(clip.num_frames), rng.random((clip.num_frames, *grid)))
    return found


def _judged(
    engine: Scored, clip: Clip, maps: Mapping[str, Maps], target: Target, settings: ScoreSettings
) -> dict[str, tuple[dict[str, dict[str, Figure]], Figure | None]]:
    """Faithfulness of each method's frames and patches, all against the same random orders."""
    seed = settings.seed
    judged = {}
    with engine.subject(clip) as subject:
        bands = frame_bands(subject, target, orders=settings.orders, seed=seed)
        band = None
        if settings.fill is not None and any(patches is not None for _, patches in maps.values()):
            band = patch_band(subject, target, fill=settings.fill, draws=settings.orders, seed=seed)
        for method, (frames, patches) in maps.items():
            of_frames = {} if frames is None else _of_frames(judge_frames(frames, bands, seed=seed))
            of_patches = None
            if band is not None and patches is not None:
                of_patches = _figure(judge_patches(patches, band, seed=seed))
            judged[method] = of_frames, of_patches
    return judged


def _of_frames(found: Faithfulness) -> dict[str, dict[str, Figure]]:
    return {
        removal: {name: _figure(measure) for name, measure in scores.measures.items()}
        for removal, scores in found.removals.items()
    }


def _figure(measure: Measure) -> Figure:
    return Figure(measure.value, measure.expected, measure.spread, measure.z, measure.verdict)


def _of_truth(score: TruthScore) -> Figure:
    return Figure(score.value, score.expected, score.spread, score.z)
