"""Evaluate a model on a folder or a list of clips: the whole way from paths to a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from stam_core.device import pick_device, pick_dtype
from stam_core.errors import ParameterError
from stam_core.evaluate.answers import Answer, Answerer, Given, default_batch
from stam_core.evaluate.cost import gmacs_per_clip
from stam_core.evaluate.distributed import Ranks, joined_ranks
from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.journal import Journal, read_journals, remove_journals
from stam_core.evaluate.lists import Entry, list_clips
from stam_core.evaluate.loader import decoded_clips
from stam_core.evaluate.protocol import DecodedClip, choose_protocol, decode_clip
from stam_core.evaluate.ray_engine import plan_for, ray_answers, start_ray, stop_ray
from stam_core.evaluate.scores import ClipResult, EvaluationReport, RunFacts
from stam_core.evaluate.settings import Settings, cores
from stam_core.evaluate.task import Task
from stam_core.models import LoadedModel, load_model
from stam_core.types import Progress

NOT_A_NUMBER = "The model's answer for it is not a number."
# Told after every batch: clips done and to do in this run, and the results that came.
Watcher = Callable[[int, int, Sequence[ClipResult]], None]


def evaluate_clips(
    data: str | Path,
    *,
    model: str = "stam-actions",
    weights: str | Path | None = None,
    root: str | Path | None = None,
    protocol: str | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    settings: Settings | None = None,
    watch: Watcher | None = None,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Score a model on a folder or a list of clips.

    With `out`, every answer is on the disc as soon as it is there, and the same call goes on from
    it. Under torchrun the ranks share the list and all return the same report.

    Args:
        data: a folder `<class>/<clip>` or `val/<class>/<clip>`, or a list of paths and labels.
        model: a name from `list_models()`, or a checkpoint that describes itself.
        weights: a checkpoint in place of the model's own.
        root: folder that a list's paths start from.
        protocol: "official" or "uniform"; None: official where the model's authors have one.
        limit: at most so many clips, evenly spread over the list.
        out: folder of the journal; made where it is not there.
        fresh: forget what a journal in `out` holds.
        settings: how to run it.
        watch: told after every batch.
        progress: told while the model is loaded.

    Raises:
        EvaluationError: the list, the folder or the cluster is not usable, or no clip is.
        ParameterError: a setting or the protocol does not exist for this model.
        WeightsError: the weights are not there, unreadable, or another model's.
    """
    settings = settings or Settings()
    with joined_ranks() as ranks:
        loaded = _load_in_turn(
            ranks, partial(load_model, model, weights=weights, progress=progress)
        )
        device = pick_device(ranks.device(settings.device))
        task = Task(
            loaded=loaded,
            protocol=choose_protocol(loaded.info, protocol),
            listed=list_clips(data, loaded.info.labels, root=root, limit=limit),
            settings=settings,
            device=device,
            dtype=pick_dtype(settings.dtype, device),
            batch=settings.batch or default_batch(loaded.info, device),
            ranks=ranks,
        )
        if settings.engine == "ray" and ranks.world > 1:
            raise ParameterError("Ray spreads the work itself: run --engine ray without torchrun.")
        folder = None if out is None else _folder(Path(out))
        results, run = _run(task, folder, fresh=fresh, watch=watch)
    return _report(task, str(data), results, run)


def _load_in_turn(ranks: Ranks, load: Callable[[], LoadedModel]) -> LoadedModel:
    """The first rank of a machine loads first: it may have to fetch the weights for all."""
    loaded = load() if ranks.local_rank == 0 else None
    ranks.gathered(None)
    return loaded if loaded is not None else load()


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"Cannot make the folder {str(folder)!r}: {error.strerror or error}. "
            "Choose another --out."
        ) from error
    return folder


def _run(
    task: Task, folder: Path | None, *, fresh: bool, watch: Watcher | None
) -> tuple[dict[int, ClipResult], RunFacts]:
    """Answer what is not answered yet; all results of all ranks, and how it went."""
    known: dict[int, ClipResult] = {}
    seconds, timed = 0.0, 0
    if folder is not None:
        if fresh and task.ranks.local_rank == 0:
            remove_journals(folder)
        task.ranks.gathered(None)  # nobody reads what is about to be removed
        known, seconds, timed = read_journals(folder, task.header, len(task.listed.entries))
    for others in task.ranks.gathered(known):  # without a shared disc each rank has its own
        known = {**known, **others}
    waiting = [entry for entry in task.listed.entries if entry.index not in known]
    mine = task.ranks.share(waiting)
    started = time.perf_counter()
    new = _answer_all(task, mine, folder, watch)
    took = max(task.ranks.gathered(time.perf_counter() - started))
    for others in task.ranks.gathered(new):
        known = {**known, **others}
    if waiting:
        seconds, timed = seconds + took, timed + len(waiting)
        if folder is not None and task.ranks.first:
            with Journal(folder / "journal.jsonl", task.header) as journal:
                journal.add_timing(took, len(waiting))
    return known, _facts(task, seconds, timed)


def _answer_all(
    task: Task, mine: Sequence[Entry], folder: Path | None, watch: Watcher | None
) -> dict[int, ClipResult]:
    results: dict[int, ClipResult] = {}
    name = "journal.jsonl" if task.ranks.first else f"journal-{task.ranks.rank}.jsonl"
    journal = None if folder is None else Journal(folder / name, task.header)
    try:
        if watch is not None:
            watch(0, len(mine), [])
        for found in _results(task, mine):
            if journal is not None:
                journal.add(found)
            results.update((result.index, result) for result in found)
            if watch is not None:
                watch(len(results), len(mine), found)
    finally:
        if journal is not None:
            journal.close()
    return results


def _results(task: Task, entries: Sequence[Entry]) -> Iterator[list[ClipResult]]:
    """Results as they come, a batch at a time."""
    absent = [entry for entry in entries if entry.reason]
    if absent:
        yield [_result(entry, DecodedClip(None, entry.reason), None) for entry in absent]
    there = [entry for entry in entries if not entry.reason]
    if not there:
        return
    if task.settings.engine == "ray":
        yield from _by_ray(task, there)
    else:
        yield from _by_dataloader(task, there)


def _by_dataloader(task: Task, entries: Sequence[Entry]) -> Iterator[list[ClipResult]]:
    """Worker processes decode ahead while this one runs the model."""
    decode = partial(decode_clip, protocol=task.protocol)
    stream = decoded_clips(entries, decode, workers=task.workers, ahead=2 * task.batch)
    clips = (
        Given((entry, replace(clip, pixels=None)), entry.target, clip.pixels)
        for entry, clip in stream
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(task.threads)
    try:
        answerer = Answerer(
            task.loaded.model,
            task.loaded.info,
            device=task.device,
            dtype=task.dtype,
            batch=task.batch,
        )
        for batch in answerer.answers(clips):
            yield [_result(entry, clip, answer) for (entry, clip), answer in batch]
    finally:
        torch.set_num_threads(threads)


def _by_ray(task: Task, entries: Sequence[Entry]) -> Iterator[list[ClipResult]]:
    ray = start_ray(task.settings.ray_address, cores())
    try:
        plan = plan_for(ray, task.settings.ray_actors, task.settings.threads)
        stream = ray_answers(
            ray,
            entries,
            task.loaded,
            task.protocol,
            plan=plan,
            batch=task.batch,
            dtype=task.dtype,
        )
        for found in stream:
            yield [_result(entry, clip, answer) for entry, clip, answer in found]
    finally:
        stop_ray(ray)


def _result(entry: Entry, clip: DecodedClip, answer: Answer | None) -> ClipResult:
    if answer is None:
        reason = clip.reason or NOT_A_NUMBER
        return ClipResult(
            entry.index, entry.shown, entry.target, None, None, None, reason, clip.official_drops
        )
    return ClipResult(
        index=entry.index,
        path=entry.shown,
        target=entry.target,
        predicted=answer.predicted,
        probability=answer.probability,
        rank=answer.rank,
        official_drops=clip.official_drops,
    )


def _facts(task: Task, seconds: float, timed: int) -> RunFacts:
    info = task.loaded.info
    return RunFacts(
        engine=task.settings.engine,
        device=str(task.device),
        dtype=str(task.dtype).removeprefix("torch."),
        batch=task.batch,
        workers=task.workers,
        threads=task.threads,
        processes=task.ranks.world,
        clips=timed,
        seconds=seconds,
        gmacs_per_clip=gmacs_per_clip(info),
        parameters=sum(parameter.numel() for parameter in task.loaded.model.parameters()),
    )


def _report(
    task: Task, data: str, results: dict[int, ClipResult], run: RunFacts
) -> EvaluationReport:
    clips = tuple(results[entry.index] for entry in task.listed.entries)
    report = EvaluationReport(
        model=task.loaded.info.name,
        weights_sha256=task.loaded.report.sha256,
        published=task.loaded.info.published,
        data=data,
        protocol=task.protocol.name,
        labels=task.loaded.info.labels,
        clips=clips,
        unknown_classes=task.listed.unknown,
        notes=task.listed.notes,
        run=run,
    )
    if not report.used:
        first = report.unusable[0]
        raise EvaluationError(
            f"None of the {len(clips)} clips can be used; most often: {first.reason} "
            f"({first.clips} clips). Check that they are videos."
        )
    return report
