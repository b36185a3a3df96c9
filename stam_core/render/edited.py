"""What the picture and the numbers of an edited clip are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stam_core.types import Clip, Explanation, ModelInfo, Prediction, Target


@dataclass(frozen=True)
class Place:
    """One place in time, and the frame that stands there."""

    frame: int  # 0..T-1 of its clip
    clip: int = 0  # which of the clips
    kept: bool = True  # False: taken away


@dataclass(frozen=True)
class Row:
    """One method's scores of the frames, as far as they are computed."""

    name: str
    title: str
    explanation: Explanation | None  # None: not yet
    note: str = ""  # the sum check, in words
    caveat: str = ""


@dataclass(frozen=True)
class EditedClip:
    """A clip whose frames were taken away, moved or replaced, and all that was measured of it.

    Rows and curves are about the clip as opened; the edit has the two answers.
    """

    clips: tuple[Clip, ...]  # as opened; the first one is the clip, another its frames come from
    clip_names: tuple[str, ...]  # untrusted text
    model: ModelInfo
    places: tuple[Place, ...]  # place i in time
    removal: str  # what stands where a frame was taken away
    positions: str  # whether the others keep their places: "keep" or "close"; matters for "drop"
    edit_words: str  # the edit in one sentence
    original: Prediction
    edited: Prediction
    target: Target  # that rows and curves speak about
    rows: tuple[Row, ...] = ()
    decision: Explanation | None = None
    order: Explanation | None = None
    sufficient: Explanation | None = None
    # Whether attention and effect agree, in figures and in sentences.
    agreement: Mapping[str, Any] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    # By "decision", "order" and "sufficient": what each says in words.
    told: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in self.places:
            if not 0 <= place.clip < len(self.clips):
                raise ValueError(f"there is no clip {place.clip}")
            if not 0 <= place.frame < self.clips[place.clip].num_frames:
                raise ValueError(f"clip {place.clip} has no frame {place.frame}")

    @property
    def n_kept(self) -> int:
        """Places whose frame stays."""
        return sum(place.kept for place in self.places)

    @property
    def foil_label(self) -> str | None:
        """The class that the target is held against; None where there is none."""
        return None if self.target.foil is None else self.original.labels[self.target.foil]

    @property
    def target_label(self) -> str:
        """The class that rows and curves speak about."""
        return self.original.labels[self.target.index]

    def changes(self, index: int) -> tuple[str, ...]:
        """What was done at a place: of "removed", "second clip", "repeated" and "moved"."""
        place = self.places[index]
        found = []
        if not place.kept:
            found.append("removed")
        if place.clip:
            found.append("second clip")
        elif place.frame != index:
            same = [(other.clip, other.frame) for other in self.places]
            found.append("repeated" if same.count((0, place.frame)) > 1 else "moved")
        return tuple(found)
