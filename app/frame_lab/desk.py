"""Answers the frame lab's questions: the only place where its page meets the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.frame_lab import payload as lab_payload
from app.frame_lab.asks import DECISION, ORDER, SUFFICIENT, lab_ask, rows_of
from app.frame_lab.questions import read_class, read_edit, read_operator, read_serial, speaks_of_two
from app.frame_lab.state import Shown
from stam_core.explain import EXPLAINERS

if TYPE_CHECKING:
    from app.analysis import Analyst
    from app.frame_lab.state import Lab
    from app.visit import Visit
    from stam_core import Engine
    from stam_core.edits import Edit
    from stam_core.types import Clip, Explanation

BETWEEN_PARTS_SECONDS = 0.2  # the page need not be told of every step
GAP_SECONDS = 0.002  # between steps, in which an edit that waits for the model gets it

Alive = Callable[[], bool]


@dataclass(frozen=True)
class LabView:
    """What changes in the page; None: that part stays as it is."""

    lab: Lab | None = None
    clip: dict[str, Any] | None = None
    second: dict[str, Any] | None = None
    sources: list[list[str]] | None = None
    answer: dict[str, Any] | None = None
    aim: dict[str, Any] | None = None
    effects: dict[str, Any] | None = None
    curves: dict[str, Any] | None = None
    shown: Shown | None = None


class LabDesk:
    """The frame lab of all visitors; holds nothing of theirs."""

    def __init__(self, analyst: Analyst) -> None:
        """`analyst` has the models and the clips."""
        self._analyst = analyst

    def open(self, visit: Visit, lab: Lab) -> LabView:
        """The clip in view and the model's answer to it; nothing where the page has it already.

        Raises:
            StamError: no clip, or it cannot be opened.
        """
        engine, clip = self._analyst.opened(visit)
        shown = f"{visit.model} {clip.digest}"
        classes = (visit.target, visit.foil)
        if lab.shown == shown and lab.seen == classes:
            return LabView()
        chosen = replace(lab, target=visit.target, foil=visit.foil, seen=classes)
        if lab.shown == shown:
            return LabView(lab=chosen, aim=self._aim(engine, clip, chosen))
        start = lab.start
        if start is None or start.source != visit.source or len(start.slots) != clip.num_frames:
            start = None
        # Another model may take another number of frames.
        second = None if start is None else lab.second
        lab = replace(chosen, second=second, shown=shown, start=None)
        source = self._analyst.sources.get(visit.source)
        other = {} if second is None else self._frames(visit, second)
        edit = None
        if start is not None:
            shape = {"removal": lab.removal, "places": lab.places, "second": other.get("key")}
            edit = {"slots": [list(slot) for slot in start.slots], **shape}
        examples = self._analyst.examples.items()
        return LabView(
            lab=lab,
            clip=lab_payload.frames_payload(clip, source.name) | {"edit": edit},
            second=other,
            sources=[[name, example.title] for name, example in examples],
            answer=self._answer_as_opened(engine, clip, lab),
            aim=self._aim(engine, clip, lab),
            shown=Shown(removal=lab.removal, places=lab.places),
        )

    def answer(self, visit: Visit, lab: Lab, data: Mapping[str, Any]) -> LabView:
        """The answer to an edit.

        Raises:
            StamError: the edit cannot be read, or speaks of clips and frames that are not there.
        """
        engine, clips, edit = self.read(visit, lab, data)
        original = engine.predict(clips[0])
        edited = engine.assemble(clips, edit)
        target = engine.target(clips[0], lab.target).index
        keys = tuple(clip.digest for clip in clips)
        slots = tuple((int(slot.clip), int(slot.frame), slot.kept) for slot in edit.slots)
        return LabView(
            answer=lab_payload.answer_payload(
                clips[0], original, edited, edit=edit, serial=read_serial(data), target=target
            ),
            shown=Shown(keys, slots, edit.removal, edit.places),
        )

    def read(
        self, visit: Visit, lab: Lab, data: Mapping[str, Any]
    ) -> tuple[Engine, list[Clip], Edit]:
        """The model, the clips and the edit that an event speaks of.

        Raises:
            StamError: the edit cannot be read, or speaks of clips and frames that are not there.
        """
        engine, clip = self._analyst.opened(visit)
        clips = [clip]
        if lab.second is not None and speaks_of_two(data):
            clips.append(self._second(visit, lab.second)[1])
        return engine, clips, read_edit(data, clips, engine.info.num_frames)

    def splice(self, visit: Visit, lab: Lab, source: str | None) -> LabView:
        """Another second clip; `source` is its key, or None for none any more.

        Raises:
            StamError: it cannot be opened; the one before stays.
        """
        if source is None:
            return LabView(lab=replace(lab, second=None), second={})
        return LabView(lab=replace(lab, second=source), second=self._frames(visit, source))

    def splice_example(self, visit: Visit, lab: Lab, name: object) -> LabView:
        """An embedded clip as the second one; "" for none."""
        if name == "":
            return self.splice(visit, lab, None)
        return self.splice(visit, lab, self._analyst.example(visit, name).source)

    def aim(self, visit: Visit, lab: Lab, data: dict[str, Any]) -> LabView:
        """Another class to ask about, or to hold it against.

        Raises:
            StamError: there is no such class, or it is held against itself.
        """
        engine, clip = self._analyst.opened(visit)
        target, foil = read_class(data.get("target")), read_class(data.get("foil"))
        engine.target(clip, target, foil)
        lab = replace(lab, target=target, foil=foil)
        return LabView(lab=lab, aim=self._aim(engine, clip, lab))

    def operate(self, lab: Lab, data: dict[str, Any]) -> LabView:
        """Another way to remove frames.

        Raises:
            StamError: there is none such.
        """
        removal, places = read_operator(data)
        return LabView(lab=replace(lab, removal=removal, places=places))

    def question(self, visit: Visit, lab: Lab) -> str:
        """What `effects` would compute, as a name for it."""
        _, clip = self._analyst.opened(visit)
        return repr((visit.model, clip.digest, lab.target, lab.foil, lab.removal, lab.places))

    def effects(self, visit: Visit, lab: Lab, alive: Alive) -> Iterator[LabView]:
        """Attention and effect frame by frame: what is quick first, the rest as it grows.

        Args:
            visit: names the clip and the model.
            lab: names the class and how frames are removed.
            alive: whether anybody still wants to know; asked between the steps.
        """
        engine, clip = self._analyst.opened(visit)
        asked = engine.target(clip, lab.target, lab.foil)
        names = rows_of(engine.info)
        labels = engine.info.labels
        told = labels[asked.index], None if asked.foil is None else labels[asked.foil]
        found: dict[str, Explanation] = {}
        sufficient: Explanation | None = None

        def view(state: str) -> LabView:
            return LabView(
                effects=lab_payload.effects_payload(
                    clip, found, names, labels=told, state=state, sufficient=sufficient
                )
            )

        quick, slow = names[:-1], names[-1]
        for name in quick:  # within a second, unless each question is a pass of the whole model
            for explanation in self._growing(engine, clip, lab, name, alive):
                found[name] = explanation
                if explanation.done < 1:
                    yield view("running")
            if found[name].done < 1 or not alive():
                yield view("stopped")
                return
        yield view("running")
        yield from self._curves(engine, clip, lab, alive)
        if SUFFICIENT in EXPLAINERS and lab.target is None and alive():
            for found_set in self._growing(engine, clip, lab, SUFFICIENT, alive):
                sufficient = found_set if found_set.done >= 1 else None
        for explanation in self._growing(engine, clip, lab, slow, alive):
            found[slow] = explanation
            yield view("running")
        yield view("done" if slow in found and found[slow].done >= 1 else "stopped")

    def _curves(self, engine: Engine, clip: Clip, lab: Lab, alive: Alive) -> Iterator[LabView]:
        """Each curve once it is whole, both at once where they take no time."""
        whole: dict[str, Explanation] = {}
        shown = 0
        for name in (DECISION, ORDER):
            for part in self._growing(engine, clip, lab, name, alive):
                if part.done >= 1:
                    whole[name] = part
                elif len(whole) > shown:
                    shown = len(whole)
                    yield self._curves_view(clip, lab, whole)
            if name not in whole or not alive():
                return
        yield self._curves_view(clip, lab, whole)

    def _curves_view(self, clip: Clip, lab: Lab, whole: Mapping[str, Explanation]) -> LabView:
        foil = lab.foil is not None
        curves = whole.get(DECISION), whole.get(ORDER)
        return LabView(curves=lab_payload.curves_payload(clip, *curves, foil=foil))

    def _growing(
        self, engine: Engine, clip: Clip, lab: Lab, name: str, alive: Alive
    ) -> Iterator[Explanation]:
        """Partial answers, not more often than the page can use; the last one there was always."""
        told = 0.0
        held: Explanation | None = None
        ask = lab_ask(engine.info, lab, name)
        # What is on the page is remembered, for who takes it away and for the next who asks.
        stream = self._analyst.explained.stream(engine, clip, ask, pause_seconds=0.0)
        for explanation in stream:
            now = time.monotonic()
            if now - told >= BETWEEN_PARTS_SECONDS or explanation.done >= 1:
                told, held = now, None
                yield explanation
            else:
                held = explanation
            if explanation.done < 1 and not alive():
                break
            time.sleep(GAP_SECONDS)
        if held is not None:
            yield held

    def _second(self, visit: Visit, source: str) -> tuple[Engine, Clip]:
        return self._analyst.opened(replace(visit, source=source, span_seconds=None))

    def _frames(self, visit: Visit, source: str) -> dict[str, Any]:
        """The second clip's frames, for the page."""
        engine, clip = self._second(visit, source)
        engine.predict(clip)  # its embeddings are there before the first edit asks for them
        return lab_payload.frames_payload(clip, self._analyst.sources.get(source).name)

    def _answer_as_opened(self, engine: Engine, clip: Clip, lab: Lab) -> dict[str, Any]:
        prediction = engine.predict(clip)
        target = engine.target(clip, lab.target).index
        return lab_payload.answer_payload(
            clip, prediction, prediction, edit=None, serial=0, target=target
        )

    def _aim(self, engine: Engine, clip: Clip, lab: Lab) -> dict[str, Any]:
        """The classes to choose from and those chosen, for the page."""
        labels = engine.info.labels
        predicted = engine.target(clip).index
        return {
            "key": clip.digest,
            "classes": list(labels),
            "predicted": predicted,
            "target": lab.target,
            "foil": lab.foil,
        }
