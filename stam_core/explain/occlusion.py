"""Occlusion: cover a part of a frame and see how far the target falls.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", arXiv 1311.2901.
A covered part changes its own frame's embedding alone, so the other T-1 are used again and a window
costs 1/T of a clip's pass, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import torch

from stam_core.explain.base import Explainer, ExplainerInfo, Scores, choice, number
from stam_core.explain.baselines import Baseline, baseline
from stam_core.explain.game import WHOLE_PASSES, FrameGame, Scale, scale_parameter
from stam_core.record import FRAMES_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stam_core.record import Subject
    from stam_core.types import Target


def windows(grid: tuple[int, int], side: int) -> torch.Tensor:
    """Squares of `side` patches that tile the grid, cut at its edges: [n,h,w] bool."""
    h, w = grid
    row, column = torch.arange(h)[:, None] // side, torch.arange(w) // side
    number_of_patch = row * -(-w // side) + column  # [h,w]
    return torch.arange(int(number_of_patch.max()) + 1)[:, None, None] == number_of_patch


def most_effective_frame(game: FrameGame) -> int:
    """The frame whose removal moves the value most."""
    everything = torch.ones(1, game.num_frames, dtype=torch.bool)
    without_one = ~torch.eye(game.num_frames, dtype=torch.bool)
    values = game.values(torch.cat([everything, without_one]))
    return int((values[1:] - values[0]).abs().argmax())


@dataclass(frozen=True)
class Occlusion(Explainer):
    """How far the target falls when a window of patches is covered."""

    frame: str = choice(
        "strongest",
        label="Frame",
        help=(
            "The strongest (whose removal moves the class most), one by its number from 1, or all, "
            "which costs as many times more."
        ),
        choices=("strongest", "all"),
        numbered="frames",
    )
    window: int = number(
        2,
        label="Window",
        help="Side of the covered square, in patches; squares do not overlap.",
        minimum=1,
        maximum=4,
        step=1,
    )
    value: str = choice(
        "grey",
        label="Covered with",
        help="Mid grey, the same frame blurred, or the clip's mean colour.",
        choices=("grey", "blur", "mean"),
    )
    scale: str = scale_parameter()

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="occlusion",
        title="Occlusion",
        summary="How far the class falls when a square of one frame is covered.",
        paper="Zeiler & Fergus, arXiv 1311.2901",
        outputs=frozenset({"patches"}),
        signed=True,
        uses_target=True,
        passes=(
            "1, shared with the prediction, and 1/T for each square of each covered frame: about 4 "
            "for one frame of 16 x 16 patches in squares of 2" + WHOLE_PASSES
        ),
        caveat=(
            "Frames that were not covered show zero: not measured, which is not the same as no "
            "effect. What covers is itself something to see, and training never showed it. "
            "What two squares, or two frames, show alike counts for neither."
        ),
        in_full={"frame": "all"},
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Patches [T,h,w]: the fall of the target with the square around each patch; rows fill up.

        Frames that are not asked for stay zero.
        """
        assert target is not None  # `info.uses_target`
        game = FrameGame(subject, target, scale=cast("Scale", self.scale))
        frames = self._frames(game)
        cover = windows(subject.patch_grid, self.window)  # [n,h,w]
        fill = baseline(subject, cast("Baseline", self.value))
        patches = torch.zeros(game.num_frames, *subject.patch_grid)
        n_done, n_all = 0, len(frames) * len(cover)
        for frame in frames:
            whole = self._value(game, frame, subject.embed(subject.x[frame, None]))  # [1]
            for covered in torch.split(cover, FRAMES_AT_ONCE):
                pictures = _cover(subject.x[frame], fill[frame], covered)
                falls = whole - self._value(game, frame, subject.embed(pictures))  # [m]
                patches[frame] += (covered * falls[:, None, None]).sum(dim=0)
                n_done += len(covered)
                yield Scores(
                    patches=patches.clone(),
                    details={"frame": frame + 1.0} if len(frames) == 1 else {},
                    passes=1.0 + (n_done / game.num_frames if subject.embeds_frames else 0.0),
                    done=n_done / n_all,
                )

    def _frames(self, game: FrameGame) -> list[int]:
        """Which frames are covered, from 0."""
        match self.frame:
            case "strongest":
                return [most_effective_frame(game)]
            case "all":
                return list(range(game.num_frames))
            case _:
                return [int(self.frame) - 1]

    @staticmethod
    def _value(game: FrameGame, frame: int, embeddings: torch.Tensor) -> torch.Tensor:
        """The clip's value with other embeddings [m,D] of one frame: [m]."""
        own = game.subject.frame_embeddings
        clips = own.expand(len(embeddings), -1, -1).clone()  # [m,T,D]
        clips[:, frame] = embeddings
        return game.read(game.subject.classify(clips))


def _cover(frame: torch.Tensor, fill: torch.Tensor, covered: torch.Tensor) -> torch.Tensor:
    """A frame [3,S,S] with the `covered` patches [m,h,w] filled from `fill`: [m,3,S,S]."""
    side = frame.shape[-1] // covered.shape[-1]
    pixels = covered.repeat_interleave(side, dim=1).repeat_interleave(side, dim=2)  # [m,S,S]
    return torch.where(pixels[:, None].to(frame.device), fill, frame)
