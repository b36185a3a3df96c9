"""Shapley values of the frames: each one's fair share of v(all) - v(none).

A frame's value is the mean, over all orders in which the frames may arrive, of what it adds when it
arrives. Exact from the 2^T subsets of the temporal stage; sampled, with an interval, beyond.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from stam_core.errors import ParameterError
from stam_core.explain.base import ExplainerInfo, Scores, choice, number
from stam_core.explain.game import WHOLE_PASSES
from stam_core.explain.leave_out import OFF_DISTRIBUTION, FrameMethod

if TYPE_CHECKING:
    from stam_core.explain.game import FrameGame
    from stam_core.record import Subject
    from stam_core.types import Target

# 2^16 subsets: the last power that is affordable on a processor; 2^8 of whole passes.
EXACT_FRAMES = 16
EXACT_WHOLE_FRAMES = 8
# Multiply-accumulates of all subsets that "auto" spends: 15 seconds on two cores, which is four
# times what the embedded model needs; the temporal stage of a ViT-B would take minutes.
_AFFORDABLE_MACS = {"cpu": 1.4e12, "cuda": 1.4e14}
# Of every size, subsets looked at before the rest in proportion: enough that each frame is in some
# and out of others, so that every size speaks from the second partial result on.
_FIRST_OF_EACH_SIZE = 128


@dataclass(frozen=True)
class Shapley(FrameMethod):
    """phi_t = mean over sizes s of (mean v of subsets with t, s+1) - (mean v without t, s)."""

    subsets: Literal["auto", "all", "sampled"] = choice(
        "auto",
        label="Subsets",
        help=(
            "All 2^T subsets, exact, for up to 16 frames (8 where the model has no stage for "
            "frames alone); or sampled, with a 95 % interval. Auto: all where that takes seconds "
            "rather than minutes."
        ),
        choices=("auto", "all", "sampled"),
    )
    pairs: int = number(
        64,
        label="Sampled pairs of orders",
        help="Each is a random order of the frames and its reverse; only used where sampled.",
        minimum=8,
        maximum=512,
        step=8,
    )
    seed: int = number(
        0, label="Seed", help="Of the sampled orders.", minimum=0, maximum=999, step=1
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="shapley",
        title="Shapley values of frames",
        summary=(
            "Each frame's fair share of the class's value: what it adds, averaged over every "
            "company of other frames."
        ),
        paper="Shapley 1953; sampling: Mitchell et al., arXiv 2104.12199",
        outputs=frozenset({"frames", "series"}),
        signed=True,
        uses_target=True,
        passes="1, and the temporal stage 2^T times (65,536 at 16 frames; seconds if small)"
        + WHOLE_PASSES,
        caveat=(
            "The shares add up to v(all) - v(none), which shows that the sum was done right, not "
            "that few frames are like the clips of training. " + OFF_DISTRIBUTION
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Frames [T], signed; `sum_error` = sum - (v_all - v_none). Sampled: series low, high.

        Raises:
            ParameterError: all subsets of more frames than are affordable.
        """
        game = self.game(subject, target)
        limit = EXACT_FRAMES if subject.embeds_frames else EXACT_WHOLE_FRAMES
        if self.subsets == "all" and game.num_frames > limit:
            raise ParameterError(
                f"All subsets of {game.num_frames} frames would take 2^{game.num_frames} passes of "
                f"this model; they are read for up to {limit} frames. Choose sampled subsets."
            )
        if self.subsets == "all" or (
            self.subsets == "auto" and game.num_frames <= limit and is_affordable(game)
        ):
            return exact(game)
        return sampled(game, pairs=self.pairs, seed=self.seed)


def is_affordable(game: FrameGame) -> bool:
    """Whether all subsets take seconds rather than minutes on the device in use."""
    device = game.subject.x.device.type
    affordable = _AFFORDABLE_MACS.get(device, _AFFORDABLE_MACS["cpu"])
    return float(2**game.num_frames) * game.macs_per_subset <= affordable


def exact(game: FrameGame) -> Iterator[Scores]:
    """All subsets: the smallest and largest first, then some of every size, then the rest.

    Before the end the mean of each size rests on the subsets seen so far, and sizes of which a
    frame's in or out has not been seen are left out.
    """
    n = game.num_frames
    order = _reading_order(n)
    sums = _SizeSums(n)
    so_far = Scores(done=0.0)
    for rows in _split(order, 2 + 2 * n, game.subsets_per_step):
        kept = subsets(rows, n)
        values = yield from game.with_pauses(game.values, kept, so_far)
        sums.add(kept, values)
        so_far = sums.scores(done=sums.seen / len(order))
        yield so_far


def subsets(codes: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Numbers [M] -> subsets [M,T] bool; bit t is frame t."""
    return (codes[:, None] >> torch.arange(num_frames) & 1).bool()


def _reading_order(num_frames: int) -> torch.Tensor:
    """The numbers of all subsets [2^T], those first that tell most; within a size at random."""
    codes = torch.arange(2**num_frames)
    sizes = subsets(codes, num_frames).sum(dim=1)
    shuffled = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    # [2^T] place of each subset in the random order of its own size
    by_size = shuffled[sizes[shuffled].argsort(stable=True)]
    counts = torch.tensor([math.comb(num_frames, size) for size in range(num_frames + 1)])
    starts = counts.cumsum(0) - counts
    place = torch.empty_like(codes)
    place[by_size] = torch.arange(len(codes)) - starts[sizes[by_size]]
    share = place / counts[sizes]
    share = torch.where(place < _FIRST_OF_EACH_SIZE, share - 1.0, share)
    outermost = (sizes <= 1) | (sizes >= num_frames - 1)
    return torch.where(outermost, -2.0, share).argsort(stable=True)


def _split(order: torch.Tensor, first: int, step: int) -> Iterator[torch.Tensor]:
    yield order[:first]
    for start in range(first, len(order), step):
        yield order[start : start + step]


class _SizeSums:
    """Sums of the values seen, by size and by who was in; float64."""

    def __init__(self, num_frames: int) -> None:
        self.with_frame = torch.zeros(num_frames + 1, num_frames, dtype=torch.float64)  # [size,t]
        self.n_with = torch.zeros_like(self.with_frame)
        self.total = torch.zeros(num_frames + 1, 1, dtype=torch.float64)
        self.n_total = torch.zeros_like(self.total)

    @property
    def seen(self) -> int:
        return int(self.n_total.sum())

    def add(self, kept: torch.Tensor, values: torch.Tensor) -> None:
        sizes = kept.sum(dim=1)
        inside, column = kept.double(), values.double()[:, None]
        self.with_frame.index_add_(0, sizes, inside * column)
        self.n_with.index_add_(0, sizes, inside)
        self.total.index_add_(0, sizes, column)
        self.n_total.index_add_(0, sizes, torch.ones_like(column))

    def scores(self, *, done: float) -> Scores:
        n_without = self.n_total - self.n_with
        mean_with = self.with_frame / self.n_with  # [T+1,T], nan where nothing was seen
        mean_without = (self.total - self.with_frame) / n_without
        added = mean_with[1:] - mean_without[:-1]  # [T,T]: size before, frame
        frames = added.nanmean(dim=0)
        return Scores(
            frames=frames,
            details=_sum_check(frames, self.total[-1], self.total[0], self.seen),
            done=done,
        )


def _sum_check(
    frames: torch.Tensor, v_all: torch.Tensor, v_none: torch.Tensor, evaluations: int
) -> dict[str, float]:
    whole, empty = float(v_all), float(v_none)
    return {
        "v_all": whole,
        "v_none": empty,
        "sum_error": float(frames.sum()) - (whole - empty),
        "evaluations": evaluations,
    }


def sampled(game: FrameGame, *, pairs: int, seed: int) -> Iterator[Scores]:
    """Random orders, each with its reverse: what comes early in one comes late in the other.

    The mean of a pair varies less than that of two independent orders; pairs are independent, so
    the interval is that of their mean (Student's t).

    Source: antithetic permutation sampling, Mitchell et al., arXiv 2104.12199, section 4.1.
    """
    n = game.num_frames
    generator = torch.Generator().manual_seed(seed)
    ends = game.values(torch.stack([torch.zeros(n), torch.ones(n)]).bool()).double()
    added: list[torch.Tensor] = []  # [T] a pair
    so_far = Scores(done=0.0)
    at_once = max(1, game.subsets_per_step // max(1, 2 * (n - 1)))
    while len(added) < pairs:
        count = min(at_once, pairs - len(added)) if added else min(2, pairs)
        forward = torch.stack([torch.randperm(n, generator=generator) for _ in range(count)])
        both = torch.stack([forward, forward.flip(1)], dim=1).flatten(0, 1)  # [2*count,T]
        between = yield from game.with_pauses(game.values, arrived(both), so_far)
        added += added_in_order(both, between, ends).view(count, 2, n).mean(dim=1).unbind()
        so_far = _interval(torch.stack(added), ends, len(added) / pairs)
        yield so_far


def arrived(orders: torch.Tensor) -> torch.Tensor:
    """Who is there after 1..T-1 arrivals: orders [M,T] -> subsets [M*(T-1),T] bool."""
    n = orders.shape[1]
    arrival = orders.argsort(dim=1)  # [M,T] when each frame comes
    return (arrival[:, None] < torch.arange(1, n)[:, None]).flatten(0, 1)


def added_in_order(orders: torch.Tensor, between: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """What each frame adds as it arrives, [M,T] by frame.

    Args:
        orders: [M,T].
        between: [M*(T-1)] values of `arrived(orders)`.
        ends: [2] float64, the values of none and of all.
    """
    n_orders, n = orders.shape
    inner = between.double().view(n_orders, n - 1)
    values = torch.cat([ends[:1].expand(n_orders, 1), inner, ends[1:].expand(n_orders, 1)], dim=1)
    return values.diff(dim=1).gather(1, orders.argsort(dim=1))


def _interval(added: torch.Tensor, ends: torch.Tensor, done: float) -> Scores:
    """Mean of the pairs [m,T] with its 95 % interval."""
    n_pairs, n = added.shape
    mean = added.mean(dim=0)
    spread = added.std(dim=0) if n_pairs > 1 else torch.full_like(mean, torch.inf)
    half = student_t(n_pairs - 1) * spread / math.sqrt(n_pairs) if n_pairs > 1 else spread
    return Scores(
        frames=mean,
        series={"low": mean - half, "high": mean + half},
        details={
            **_sum_check(mean, ends[1], ends[0], 2 + n_pairs * 2 * (n - 1)),
            "pairs": n_pairs,
        },
        done=done,
    )


def student_t(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t.

    Exact for 1 and 2 degrees of freedom, then to 1 % by the Cornish-Fisher series.

    Source: Abramowitz and Stegun, 26.7.5.
    """
    if freedom <= 2:
        return 12.706 if freedom == 1 else 4.303
    z = 1.959964
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
