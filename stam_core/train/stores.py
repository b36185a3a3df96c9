"""The rendered clips that the stages learn from, rendered once into the work folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from stam_core.actions.dataset import RenderSpec
from stam_core.actions.store import ClipStore, open_store
from stam_core.train.options import TrainOptions
from stam_core.types import Progress

# Training clips have seeds beyond 32 bits, so no seed that a person gives an evaluation meets them.
TRAINING_SEEDS = 2**32
# The clips of other sets are numbered from here: they repeat no motion of one another.
FIRST_PLAIN_CLIP = 1_000_000
FIRST_JOINT_CLIP = 2_000_000
FIRST_HARD_CLIP = 3_000_000


@dataclass(frozen=True, eq=False)
class Stores:
    """What there is to learn from."""

    plain: ClipStore  # one clean person before a plain wall, for the beginning
    full: ClipStore  # the full variety
    fresh: ClipStore  # as full, for the joint stage alone; `full` itself where there is none
    hard: ClipStore  # as full, for the hard stage to choose from; `full` where there is none


def open_stores(options: TrainOptions, report: Progress) -> Stores:
    """All sets, rendered where missing.

    Args:
        options: how many clips of each, their seed and place.
        report: called with a word and the share of a set rendered.
    """
    side, frames = options.config.side, options.config.num_frames
    varied = RenderSpec(width=side, height=side, num_frames=frames)
    open_clips = partial(
        open_store,
        options.work_folder / "clips",
        seed=TRAINING_SEEDS + options.seed,
        grid=side // options.config.patch_size,
        workers=options.workers,
        progress=report,
    )
    simple = replace(varied, clutter=0.0)
    full = open_clips(options.clips, spec=varied)
    return Stores(
        plain=open_clips(options.plain_clips, first=FIRST_PLAIN_CLIP, spec=simple),
        full=full,
        fresh=open_clips(options.joint_clips, first=FIRST_JOINT_CLIP, spec=varied)
        if options.joint_steps
        else full,
        hard=open_clips(options.hard_clips, first=FIRST_HARD_CLIP, spec=varied)
        if options.hard_steps and options.config.scheme == "factorised"
        else full,
    )
