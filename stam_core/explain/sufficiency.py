"""The fewest frames that are enough for the answer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from stam_core.explain.base import ExplainerInfo, Scores, number
from stam_core.explain.game import WHOLE_PASSES
from stam_core.explain.leave_out import OFF_DISTRIBUTION, FrameMethod

if TYPE_CHECKING:
    from stam_core.explain.game import FrameGame
    from stam_core.record import Subject
    from stam_core.types import Target


@dataclass(frozen=True)
class _Search:
    """Where the search stands."""

    frames: tuple[int, ...]  # the set that leads most among its size, in the order it was found in
    lead: float  # of the target in logits; above 0 the set is enough
    leads: tuple[float, ...]  # the best lead of each size so far
    enough: int  # sets of this size that are enough; counted where all of them were tried


@dataclass(frozen=True)
class SufficientFrames(FrameMethod):
    """1 for the members of the smallest set found that alone keeps the target on top."""

    exhaustive: int = number(
        3,
        label="Exhaustive to",
        help="Every set of up to this many frames is tried; larger ones grow frame by frame.",
        minimum=1,
        maximum=3,
        step=1,
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="sufficient-frames",
        title="Smallest sufficient set",
        summary="The fewest frames that, alone, keep the class above all others (or its foil).",
        paper="",
        outputs=frozenset({"frames", "series"}),
        signed=False,
        uses_target=True,
        passes="1, and the temporal stage 697 times at 16 frames, T more per frame beyond 3"
        + WHOLE_PASSES,
        caveat=(
            "Beyond the exhaustive size the set grows greedily and may not be the smallest; other "
            "sets of the same size may do as well. The scale of measurement does not matter here. "
            + OFF_DISTRIBUTION
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Frames [T] of 0 and 1, all 0 where no set is enough; series order, best_lead."""
        game = self.game(subject, target)
        n = game.num_frames
        of_none, of_all = game.leads(torch.stack([torch.zeros(n), torch.ones(n)]).bool()).tolist()
        ends = {"empty_is_enough": float(of_none > 0), "lead_of_all": of_all}
        state = _Search((), of_none, (), 0)
        for size in range(1, min(self.exhaustive, n) + 1):
            before = state
            for state in _best_of_size(game, size, before):
                if state is before:
                    yield _report(state, n, ends, done=(size - 1) / n)
            if state.lead > 0:
                break
            yield _report(state, n, ends, done=size / n)
        greedy = state.lead <= 0
        while state.lead <= 0 and len(state.frames) < n:
            so_far = _report(state, n, ends, done=(len(state.frames) - 1) / n)
            state = yield from _grown(game, state, so_far)
            if state.lead <= 0 and len(state.frames) < n:
                yield _report(state, n, ends, done=len(state.frames) / n)
        if greedy and state.lead > 0:
            so_far = _report(state, n, ends, done=(len(state.frames) - 1) / n)
            state = yield from _pruned(game, state, so_far)
        details = {**ends, "found": float(state.lead > 0), "exhaustive": float(not greedy)}
        yield _report(state, n, details, done=1.0)


def _kept(members: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Members [M,n] -> [M,T] bool."""
    return torch.zeros(len(members), num_frames, dtype=torch.bool).scatter_(1, members, True)


def _best_of_size(game: FrameGame, size: int, before: _Search) -> Iterator[_Search]:
    """Every set of `size` frames; what was known `before` while they are tried, the best last."""
    members = torch.combinations(torch.arange(game.num_frames), r=size)  # [M,size]
    found = torch.empty(0)
    for some in torch.split(members, game.subsets_per_step):
        if len(found):
            yield before
        found = torch.cat([found, game.leads(_kept(some, game.num_frames))])
    best = int(found.argmax())
    yield _Search(
        frames=tuple(members[best].tolist()),
        lead=float(found[best]),
        leads=(*before.leads, float(found[best])),
        enough=int((found > 0).sum()),
    )


def _grown(game: FrameGame, state: _Search, so_far: Scores) -> Generator[Scores, None, _Search]:
    """The set with the frame that helps most."""
    rest = [frame for frame in range(game.num_frames) if frame not in state.frames]
    members = torch.tensor([[*state.frames, frame] for frame in rest])
    kept = _kept(members, game.num_frames)
    found = yield from game.with_pauses(game.leads, kept, so_far)
    best = int(found.argmax())
    frames = (*state.frames, rest[best])
    return _Search(frames, float(found[best]), (*state.leads, float(found[best])), 0)


def _pruned(game: FrameGame, state: _Search, so_far: Scores) -> Generator[Scores, None, _Search]:
    """Without the frames that turn out not to be needed, the earliest found first."""
    for frame in state.frames:
        fewer = tuple(member for member in state.frames if member != frame)
        lead = float(game.leads(_kept(torch.tensor([fewer]), game.num_frames))[0])
        if fewer and lead > 0:
            state = _Search(fewer, lead, state.leads, 0)
        yield so_far
    return state


def _report(state: _Search, num_frames: int, details: dict[str, float], *, done: float) -> Scores:
    """What is known; a set that is not enough is not shown as one."""
    frames = torch.zeros(num_frames)
    members = state.frames if state.lead > 0 else ()
    frames[list(members)] = 1.0
    return Scores(
        frames=frames,
        series={
            "order": torch.tensor(members, dtype=torch.float32),
            "best_lead": torch.tensor(state.leads),
        },
        details={
            **details,
            "size": float(len(members)),
            "lead": state.lead,
            "sets_of_this_size": float(state.enough),
        },
        done=done,
    )
