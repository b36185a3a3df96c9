"""The edited strip to take away: a figure, its numbers, its link, lines that give it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from app import text
from app.frame_lab.agreement import agreement_of
from app.frame_lab.asks import DECISION, ORDER, SUFFICIENT, lab_ask, rows_of
from app.frame_lab.links import TAB, as_opened, write_edit
from app.frame_lab.payload import (
    decision_sentence,
    order_sentence,
    sufficient_sentence,
    sum_note,
)
from app.takeaway.files import (
    checked_kind,
    clip_path,
    handed_out,
    kinds_of,
    question_of,
    write_json,
)
from app.takeaway.links import view_query
from stam_core.explain import EXPLAINERS, methods_of
from stam_core.models import MODELS
from stam_core.render.edited import EditedClip, Place, Row
from stam_core.render.edited_figure import render_edited
from stam_core.render.edited_numbers import edited_numbers
from stam_core.render.repeat import EditQuestion, command_line, edited_python_lines
from stam_core.render.sheet import save_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from app.analysis import Analyst
    from app.frame_lab.state import Lab, Shown, SlotRow
    from app.visit import Visit
    from stam_core import Engine
    from stam_core.types import Clip, Explanation, ModelInfo

KINDS = kinds_of(text.LAB_TAKE_WORDS)


class LabTakeDesk:
    """Files, links and lines of the frame lab's visitors; holds nothing of theirs."""

    def __init__(self, analyst: Analyst) -> None:
        """`analyst` has the models and the clips."""
        self._analyst = analyst

    def offer(self, visit: Visit, lab: Lab, shown: Shown) -> dict[str, Any]:
        """The link and the lines of an edited strip, for the page."""
        info = self._analyst.engines.info(visit.model)
        asked = replace(visit, target=lab.target, foil=lab.foil)
        slots = shown.slots if shown.keys else as_opened(info.num_frames)
        spliced = lab.second is not None and any(clip for clip, _, _ in slots)
        second = replace(visit, source=lab.second, span_seconds=None) if spliced else None
        slow = lab_ask(info, lab, rows_of(info)[-1])
        return {
            "link": self._link(asked, shown, slots, second, info),
            "python": edited_python_lines(
                EditQuestion(
                    # The classes once for all rows, whether a row's method knows any or not.
                    about=question_of(
                        self._analyst, asked, replace(slow, target=lab.target, foil=lab.foil)
                    ),
                    places=slots,
                    second=None if second is None else clip_path(self._analyst, second),
                    removal=shown.removal,
                    positions=shown.places,
                    methods={name: lab_ask(info, lab, name).parameters for name in asked_of(info)},
                )
            ),
            "command": command_line(question_of(self._analyst, asked, slow)),
        }

    def _link(
        self,
        visit: Visit,
        shown: Shown,
        slots: Sequence[SlotRow],
        second: Visit | None,
        info: ModelInfo,
    ) -> str | None:
        """None where a clip or the model is the visitor's own."""
        example = self._analyst.example_name(visit)
        if example is None or visit.model not in MODELS:
            return None
        query = {"tab": TAB, **view_query(visit, example, info)}
        query |= write_edit(slots, shown.removal, shown.places)
        if second is not None:
            other = self._analyst.example_name(second)
            if other is None:
                return None
            query["second"] = other
        return "?" + urlencode(query)

    @contextmanager
    def file(self, visit: Visit, lab: Lab, shown: Shown, kind: object) -> Iterator[Path]:
        """The edited strip as a file of that kind, gone when the block ends.

        Raises:
            ParameterError: there is no such kind.
            StamError: a clip or the model cannot be had.
        """
        suffix = checked_kind(kind, KINDS)
        engine, edited = self.edited(visit, lab, shown)

        def write(path: Path) -> None:
            if suffix == "json":
                digest = engine.report.sha256
                write_json(path, edited_numbers(edited, weights_digest=digest))
            else:
                save_figure(render_edited(edited), path)

        with handed_out(edited.clip_names[0], TAB, suffix, write) as path:
            yield path

    def edited(self, visit: Visit, lab: Lab, shown: Shown) -> tuple[Engine, EditedClip]:
        """The model and everything that the page shows of the edit.

        Rows and curves are those that were measured so far: what a visitor has stopped, or what is
        still growing, is taken as it is.

        Raises:
            StamError: a clip or the model cannot be had.
        """
        if not shown.keys:
            engine, clip = self._analyst.opened(visit)
            slots = as_opened(clip.num_frames)
            shown = replace(shown, keys=(clip.digest,), slots=slots)
        engine, clips, edit = self._analyst.lab.read(visit, lab, shown.data())
        sources = [visit.source, lab.second][: len(clips)]
        info = engine.info
        target = engine.target(clips[0], lab.target, lab.foil)
        foil = None if target.foil is None else info.labels[target.foil]
        measured = self._measured(engine, clips[0], lab)
        names = rows_of(info)
        agreement = agreement_of(measured, names)
        return engine, EditedClip(
            clips=tuple(clips),
            clip_names=tuple(self._analyst.sources.get(source).name for source in sources),
            model=info,
            places=tuple(Place(slot.frame, slot.clip, slot.kept) for slot in edit.slots),
            removal=edit.removal,
            positions=edit.places,
            edit_words=edit_words(shown),
            original=engine.predict(clips[0]),
            edited=engine.assemble(clips, edit),
            target=target,
            rows=tuple(_row(name, measured.get(name)) for name in names),
            decision=_whole(measured, DECISION),
            order=_whole(measured, ORDER),
            sufficient=_whole(measured, SUFFICIENT),
            agreement={} if agreement is None else agreement.figures,
            sentences=() if agreement is None else tuple(agreement.sentences),
            told=_told(measured, (info.labels[target.index], foil)),
        )

    def _measured(self, engine: Engine, clip: Clip, lab: Lab) -> dict[str, Explanation]:
        """What the page shows, by method."""
        asks = [
            lab_ask(engine.info, lab, name)
            for name in asked_of(engine.info)
            if name != SUFFICIENT or lab.target is None  # see `LabDesk.effects`
        ]
        parts = {ask.method: self._analyst.explained.so_far(engine, clip, ask) for ask in asks}
        return {name: part for name, part in parts.items() if part is not None}


def asked_of(info: ModelInfo) -> list[str]:
    """All that the lab asks of a model: rows, curves and the sufficient set."""
    offered = methods_of(info)
    return [*rows_of(info), *(name for name in (DECISION, ORDER, SUFFICIENT) if name in offered)]


def edit_words(shown: Shown) -> str:
    """An edit in a sentence or two, as under the strip."""
    words, slots = text.LAB_WORDS, shown.slots
    if tuple(slots) == as_opened(len(slots)):
        return text.LAB_AS_OPENED
    kept = [(clip, frame) for clip, frame, stays in slots if stays]
    own = [frame for clip, frame in kept if clip == 0]
    told = [words["status"].format(kept=len(kept), all=len(slots))]
    if own != sorted(own):
        told.append(words["status_order"])
    if len(set(kept)) < len(kept):
        told.append(words["status_repeats"])
    if len(own) < len(kept):
        told.append(words["status_second"].format(count=len(kept) - len(own)))
    said = "; ".join(told) + "."
    if len(kept) == len(slots):
        return said
    left = text.LAB_REMOVED[shown.removal]
    return f"{said} {left if isinstance(left, str) else left[shown.places]}"


def _row(name: str, found: Explanation | None) -> Row:
    described = EXPLAINERS[name].info
    note = "" if found is None else sum_note(found)
    return Row(name, described.title, found, note, described.caveat)


def _whole(measured: Mapping[str, Explanation], name: str) -> Explanation | None:
    """A curve that is not whole is not shown."""
    found = measured.get(name)
    return found if found is not None and found.done >= 1 else None


def _told(measured: Mapping[str, Explanation], labels: tuple[str, str | None]) -> dict[str, str]:
    told = {}
    if (decision := _whole(measured, DECISION)) is not None:
        told["decision"] = decision_sentence(decision)
    if (order := _whole(measured, ORDER)) is not None:
        told["order"] = order_sentence(order)
    if (sufficient := _whole(measured, SUFFICIENT)) is not None:
        told["sufficient"] = sufficient_sentence(sufficient, labels)
    return told
