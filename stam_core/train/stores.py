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


@dataclass(frozen=True, eq=False)
class Stores:
    """What there is to learn from; a set that no stage reads is another of them."""

    plain: ClipStore  # one clean person before a plain wall, for the beginning
    full: ClipStore  # the full variety
    fresh: ClipStore  # as full, for the joint stage alone


def open_stores(options: TrainOptions, report: Progress) -> Stores:
    """The sets that the run's stages read, rendered where missing.

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
    roaming = replace(varied, roaming=options.roaming)
    sets = {
        "full": (options.clips, 0, varied),
        "plain": (options.plain_clips, FIRST_PLAIN_CLIP, simple),
        "fresh": (options.joint_clips, FIRST_JOINT_CLIP, roaming),
    }
    stores = {
        name: open_clips(n, first=first, spec=spec)
        for name, (n, first, spec) in sets.items()
        if name in _sets_wanted(options)
    }
    spare = next(iter(stores.values()))
    return Stores(**{name: stores.get(name, spare) for name in sets})


def _sets_wanted(options: TrainOptions) -> set[str]:
    """Names of the sets that a stage of this run reads; at least one."""
    factorised = options.config.scheme == "factorised"  # others have no stage of time
    wanted = {
        "full": options.space_steps or (factorised and options.time_steps),
        "plain": options.space_steps,
        "fresh": options.joint_steps,
    }
    return {name for name, steps in wanted.items() if steps} or {"full"}
