"""Answers the questions of the tab "Compare": the only place where it meets the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app import controls, payload, text
from app.compare import payload as compare_payload
from app.compare.asks import methods_to_compare, side_ask
from app.compare.judge import Judge, Judged
from app.compare.state import Pair
from app.explained import without_idle_foil
from app.serving.jobs import to_the_end
from app.visit import EMBEDDED
from stam_core.actions.stored_truth import read_truth
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain import EXPLAINERS, configure
from stam_core.metrics.score import ClipTruth, truth_figures
from stam_core.metrics.truth import patch_shares
from stam_core.models import MODELS
from stam_core.render.comparison import on_scale, shared_scale

if TYPE_CHECKING:
    from collections.abc import Generator

    from app.analysis import Analyst
    from app.visit import Visit
    from stam_core import Engine
    from stam_core.metrics.score_records import Figure
    from stam_core.render.comparison import SharedScale
    from stam_core.types import Clip, Explanation, Target

FIRST = ("rollout", "gradient-attention")  # shown first, where the registry has them
INSPECTED = ""  # in the list of clips: the one in the tab "Inspect"


@dataclass(frozen=True)
class CompareView:
    """What changes in the page; None: that part stays as it is."""

    pair: Pair | None = None
    clips: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
    scores: tuple[dict[str, Any], dict[str, Any]] | None = None
    panels: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
    board: dict[str, Any] | None = None
    take: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class SideShown:
    """One side, computed."""

    visit: Visit
    engine: Engine
    clip: Clip
    explanation: Explanation
    target: Target  # of the yardstick: the class asked about, or the predicted one


class CompareDesk:
    """The comparisons of all visitors; remembers random bands, which are nobody's own."""

    def __init__(self, analyst: Analyst) -> None:
        """`analyst` has the models and the clips."""
        self._analyst = analyst
        self.judge = Judge()

    def is_open(self, visit: Visit, pair: Pair) -> bool:
        """Whether `open` has nothing to show: what it once began must then not be ended."""
        return pair.began == _view_of(visit)

    def open(self, visit: Visit, pair: Pair) -> Iterator[CompareView]:
        """The tab comes into view: what "Inspect" shows, by two methods; nothing where it is known.

        Raises:
            StamError: no clip, or it cannot be opened.
        """
        began = _view_of(visit)
        if self.is_open(visit, pair):
            return
        if pair.linked:
            sides = tuple(self._checked(side) for side in pair.sides)
            pair = Pair((sides[0], sides[1]), inspected=visit.source, began=began)
            yield from self._show(pair, redrawn=(True, True))
            return
        visit = self._checked(visit)
        engine, _ = self._analyst.opened(visit)
        offered = methods_to_compare(engine.info)
        methods = [name for name in FIRST if name in offered]
        methods += [name for name in offered if name not in methods]
        sides = tuple(
            replace(visit, heat=method, heat_parameters={}, bars="", bars_parameters={})
            for method in methods[:2]
        )
        pair = replace(pair, sides=(sides[0], sides[-1]), inspected=visit.source, began=began)
        yield from self._show(pair, redrawn=(True, True))

    def adjust(self, pair: Pair, side: int, data: Mapping[str, Any]) -> Iterator[CompareView]:
        """Another clip, model, method, class or parameter on one side.

        Raises:
            StamError: the page sent something that does not exist or is out of range.
        """
        before = pair.sides[side]
        after = self._read(pair, before, data)
        after = self._checked(after)
        sides = (after, pair.sides[1]) if side == 0 else (pair.sides[0], after)
        # A slider in use must not vanish under the finger; the panel is drawn anew for new lists.
        anew = (before.source, before.model, before.heat) != (after.source, after.model, after.heat)
        anew = anew or (before.target, before.foil) != (after.target, after.foil)
        pair = replace(pair, sides=sides)
        yield CompareView(pair)  # at once: the choice stands even if another one follows
        yield from self._show(pair, redrawn=(side == 0 and anew, side == 1 and anew))

    def _checked(self, side: Visit) -> Visit:
        """The side without a class that the predicted one would be held against: itself."""
        engine, clip = self._analyst.opened(side)
        return without_idle_foil(side, engine.predict(clip))

    def _read(self, pair: Pair, before: Visit, data: Mapping[str, Any]) -> Visit:
        sent = data.get("parameters")
        sent = dict(sent) if isinstance(sent, dict) else {}
        after = self._with_clip(pair, before, sent.pop("clip", None))
        model = sent.pop("model", before.model)
        if model != before.model:
            if model not in [name for name, _ in self._models(pair)]:
                raise UnknownNameError("model", str(model)[:80], list(MODELS))
            # Limits, classes and slots are another model's: they start anew.
            return self._analyst.with_model(after, str(model))
        method = data.get("choice")
        info = self._analyst.engines.info(after.model)
        offered = methods_to_compare(info)
        if method not in offered:
            raise UnknownNameError("method", str(method)[:80], offered)
        classes = (before.target, before.foil)
        if EXPLAINERS[method].info.uses_target:
            classes = controls.read_classes({"parameters": sent}, info, classes)
        for name in controls.CLASS_NAMES:
            sent.pop(name, None)
        configure(EXPLAINERS[method], info, sent)
        return replace(after, heat=method, heat_parameters=sent, target=classes[0], foil=classes[1])

    def _with_clip(self, pair: Pair, visit: Visit, chosen: object) -> Visit:
        if chosen is None:
            return visit
        if chosen == INSPECTED and pair.inspected is not None:
            return replace(visit, source=pair.inspected)
        if not isinstance(chosen, str) or chosen not in self._analyst.examples:
            raise ParameterError(text.COMPARE_GONE)
        return self._analyst.example(visit, chosen)

    def _show(self, pair: Pair, *, redrawn: tuple[bool, bool]) -> Iterator[CompareView]:
        names = [self._analyst.sources.get(side.source).name for side in pair.sides]
        shown = self.sides(pair)
        clips = [
            payload.clip_payload(side.clip, side.engine.crop_box(side.clip), name)
            for side, name in zip(shown, names, strict=True)
        ]
        left, right = shown
        scale = scale_of(left, right)
        scores = [on_scale(_scores(side), scale) for side in shown]
        panels = [
            self._panel(pair, side, place) if anew else None
            for side, place, anew in zip(pair.sides, text.COMPARE_SIDES, redrawn, strict=True)
        ]
        board = compare_payload.board_payload(left, right, scale)
        yield CompareView(
            pair,
            clips=(clips[0], clips[1]),
            scores=(scores[0], scores[1]),
            panels=(panels[0], panels[1]),
            board=board,
            take=self._analyst.compare_take.offer(pair),
        )
        found = [self.truth(side) for side in shown]
        judged: list[Judged] = []
        for side in shown:
            judged.append(to_the_end(self.judge.judge(side)))
            worth = compare_payload.worth_payload(shown, judged, found)
            yield CompareView(board={**board, **worth, "working": len(judged) < len(shown)})

    def sides(self, pair: Pair) -> tuple[SideShown, SideShown]:
        """Both sides, computed.

        Raises:
            StamError: a clip or model cannot be had, or a method cannot answer.
        """
        return to_the_end(self._sides(pair))

    def _sides(self, pair: Pair) -> Generator[None, None, tuple[SideShown, SideShown]]:
        """As `sides`; between the steps of a method it may be ended."""
        shown = []
        for visit in pair.sides:
            engine, clip = self._analyst.opened(visit)
            ask = side_ask(visit)
            for explanation in self._analyst.explained.stream(engine, clip, ask):
                last = explanation
                if explanation.done < 1:
                    yield
            target = engine.target(clip, ask.target, ask.foil)
            shown.append(SideShown(visit, engine, clip, last, target))
        return shown[0], shown[1]

    def _panel(self, pair: Pair, side: Visit, place: str) -> dict[str, Any]:
        info = self._analyst.engines.info(side.model)
        panel = controls.method_panel(
            "patches", side.heat, side.heat_parameters, info, (side.target, side.foil)
        )
        clip = self._analyst.example_name(side)
        chosen = [
            _menu("clip", text.COMPARE_CLIP, clip or INSPECTED, self._clips(pair)),
            _menu("model", text.COMPARE_MODEL, side.model, self._models(pair)),
        ]
        choices = [
            {"name": name, "title": EXPLAINERS[name].info.title}
            for name in methods_to_compare(info)
        ]
        return {
            **panel,
            "title": place,
            "choices": choices,
            "classes": [*chosen, *panel["classes"]],
            "notes": panel["notes"][-1:],
        }

    def _clips(self, pair: Pair) -> list[tuple[str, str]]:
        clips = [(name, example.title) for name, example in self._analyst.examples.items()]
        inspected = replace(pair.sides[0], source=pair.inspected)
        if pair.inspected is not None and self._analyst.example_name(inspected) is None:
            name = self._analyst.sources.get(pair.inspected).name
            clips.insert(0, (INSPECTED, text.COMPARE_INSPECTED.format(name=name)))
        return clips

    def _models(self, pair: Pair) -> list[tuple[str, str]]:
        """Models that are on this computer, and those that the visitor opened from a file."""
        ready = [name for name in MODELS if self._analyst.models.is_ready(name)]
        own = [side.model for side in pair.sides if side.model not in ready]
        names = dict.fromkeys([EMBEDDED, *ready, *own])
        return [(name, self._analyst.engines.info(name).title) for name in names]

    def truth(self, side: SideShown) -> Mapping[str, Figure] | None:
        """Scores against the truth by name; None where that of the clip is not known."""
        name = self._analyst.example_name(side.visit)
        truth = None if name is None else read_truth(self._analyst.examples[name].path)
        at = side.clip.frame_indices
        if truth is None or at.max() >= len(truth.moving):
            return None
        shares = patch_shares(
            truth.moving[at], side.engine.info.patch_grid, side.engine.crop_box(side.clip)
        )
        known = ClipTruth(truth.key_frames[at], truth.deciding[at], shares)
        return truth_figures((side.explanation.frames, side.explanation.patches), known)


def _view_of(visit: Visit) -> str:
    """What "Inspect" shows, as a name for it."""
    return f"{visit.source} {visit.model} {visit.policy} {visit.span_seconds}"


def scale_of(left: SideShown, right: SideShown) -> SharedScale:
    """The scale on which both sides are drawn, where they have one."""
    same_model = left.visit.model == right.visit.model
    return shared_scale(left.explanation, right.explanation, same_model=same_model)


def _menu(name: str, label: str, value: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "kind": "choice",
        "default": value,
        "value": value,
        "choices": [list(choice) for choice in choices],
        "help": "",
    }


def _scores(side: SideShown) -> dict[str, Any]:
    found = side.explanation
    return payload.scores_payload(
        side.clip,
        found if found.patches is not None else None,
        found if found.frames is not None else None,
        controls.method_titles(),
        side.engine.info.labels,
    )
