"""`evaluate`: its flags, what it does and what it prints."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stam_core.cli.output import (
    LABEL_WIDTH,
    ProgressLine,
    complain,
    progress_line,
    say,
    say_json,
    say_predictions,
)
from stam_core.errors import ParameterError
from stam_core.render.words import one_line

if TYPE_CHECKING:
    from stam_core.evaluate import ClipResult, EvaluationReport

SECONDS_BETWEEN_LINES = 60  # of progress where stderr is a file
INTERRUPTED = 130  # 128 + SIGINT, as shells count
ONLY_WITH_DATA = ("out", "limit", "root", "protocol", "batch", "ray_address", "ray_actors")
TABLE_ROWS = 10  # of classes on a terminal; classes.csv holds all

EVALUATE_EXAMPLES = """\
With --data: a folder DIR/<class>/<clip> or DIR/val/<class>/<clip>, or a list: path,label with or
without a header, Kinetics' own CSV (label,youtube_id,time_start,time_end,split), or lines of
"path label_index". Clips that cannot be used are counted and named, never left out in silence.
With --out, every answer is on the disc as soon as it is there: the same command goes on where it
stopped; results.json, clips.csv, classes.csv and confusion.png are written at the end.

Without --data the clips are rendered afresh from --seed; no seed below 2**32 was used in training.
"reversed_pairs" is the share of clips that, played backwards, are recognised as the opposite
action (sit down / stand up and so on).

examples:
  python -m stam_core evaluate --data my_clips --out results
  python -m stam_core evaluate --data kinetics400 --model stam-16 --download --protocol official \\
      --out stam-16-k400
  python -m stam_core evaluate --data val.csv --root kinetics400/val --limit 1000 --json
  torchrun --nproc-per-node 8 -m stam_core evaluate --data kinetics400 --model stam-16 --out r
  python -m stam_core evaluate --data kinetics400 --model stam-16 --engine ray --out r
  python -m stam_core evaluate --rendered 1000 --seed 7 --json
"""


def add_evaluate_flags(parser: Any, positive: Any, not_negative: Any) -> None:  # noqa: ANN401 - argparse's converters
    """The flags of `evaluate` beside those about the model.

    Args:
        parser: to add to.
        positive: turns text into a whole number from 1 up.
        not_negative: turns text into a whole number from 0 up.
    """
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", metavar="DIR|LIST", help="clips of yours: a folder or a list")
    source.add_argument(
        "--rendered",
        type=positive,
        default=1000,
        metavar="N",
        help="freshly rendered clips (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=not_negative, default=1, metavar="S", help="of rendered clips (%(default)s)"
    )
    parser.add_argument(
        "--workers",
        type=not_negative,
        metavar="N",
        help="processes that decode (one per core) or render (1)",
    )
    data = parser.add_argument_group("with --data")
    data.add_argument("--root", metavar="DIR", help="where a list's paths start")
    data.add_argument(
        "--protocol",
        metavar="NAME",
        help="official: the authors' frames, uniform: evenly over the whole clip (official where "
        "the model has one)",
    )
    data.add_argument(
        "--limit", type=positive, metavar="N", help="at most N clips, evenly over the list"
    )
    data.add_argument("--out", type=Path, metavar="DIR", help="journal and results; goes on there")
    data.add_argument("--fresh", action="store_true", help="forget what is in --out")
    data.add_argument(
        "--figure", choices=("png", "pdf"), default="png", help="kind of figure (%(default)s)"
    )
    run = parser.add_argument_group("how it runs")
    run.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")
    run.add_argument(
        "--dtype", default="auto", help="auto, float32, bfloat16 or float16 (%(default)s)"
    )
    run.add_argument("--batch", type=positive, metavar="N", help="clips at once (by their size)")
    run.add_argument("--threads", type=positive, metavar="N", help="of the model (one per core)")
    run.add_argument(
        "--engine",
        choices=("dataloader", "ray"),
        default="dataloader",
        help="ray: on a Ray cluster (%(default)s)",
    )
    run.add_argument("--ray-address", metavar="ADDRESS", help="of a cluster (one on this machine)")
    run.add_argument("--ray-actors", type=positive, metavar="N", help="models (one per GPU)")


def run_evaluate(options: argparse.Namespace) -> int:
    """Score a model on clips of the user's, or on freshly rendered ones."""
    from stam_core.cli.models import ask_before_download

    ask_before_download(options)
    return _run_rendered(options) if options.data is None else _run_clips(options)


def _run_rendered(options: argparse.Namespace) -> int:
    # Loads torch, which takes seconds.
    from stam_core.device import pick_device
    from stam_core.evaluate import evaluate_rendered
    from stam_core.models import load_model
    from stam_core.render.numbers import json_ready

    for name in ONLY_WITH_DATA:
        if getattr(options, name) is not None:
            flag = name.replace("_", "-")
            raise ParameterError(f"--{flag} is for clips of yours: it goes with --data.")
    with progress_line() as progress:
        loaded = load_model(options.model, weights=options.weights, progress=progress)
        figures = evaluate_rendered(
            loaded.model.to(pick_device(options.device)),
            loaded.info.preprocessing,
            options.rendered,
            seed=options.seed,
            labels=loaded.info.labels,
            num_frames=loaded.info.num_frames,
            workers=max(1, options.workers or 1),
            progress=progress,
        )
    figures = {**figures, "model": loaded.info.name, "weights_sha256": loaded.report.sha256}
    if options.json:
        say_json(json_ready(figures))
        return 0
    for name, value in figures.items():
        if isinstance(value, dict):
            say(f"{name}:")
            say_predictions(list(value.items()))
        else:
            say(f"{name:<16} {_figure(value)}")
    return 0


def _run_clips(options: argparse.Namespace) -> int:
    from stam_core.evaluate import Settings, evaluate_clips
    from stam_core.evaluate.distributed import is_first_process
    from stam_core.evaluate.files import report_numbers, write_files

    settings = Settings(
        engine=options.engine,
        device=options.device,
        dtype=options.dtype,
        batch=options.batch,
        workers=options.workers,
        threads=options.threads,
        ray_address=options.ray_address,
        ray_actors=options.ray_actors,
    )
    with progress_line() as progress:
        watch = _Watch(progress) if is_first_process() else None
        try:
            report = evaluate_clips(
                options.data,
                model=options.model,
                weights=options.weights,
                root=options.root,
                protocol=options.protocol,
                limit=options.limit,
                out=options.out,
                fresh=options.fresh,
                settings=settings,
                watch=watch,
                progress=progress if watch is not None else None,
            )
        except KeyboardInterrupt:
            progress.clear()
            if options.out is not None and watch is not None:
                complain("Stopped; the answers so far are kept. Run the same command to go on.")
            return INTERRUPTED
    if not is_first_process():
        return 0
    files = [] if options.out is None else write_files(report, options.out, figure=options.figure)
    if options.json:
        say_json({**report_numbers(report), "files": [str(path) for path in files]})
        return 0
    _say_report(report)
    for path in files:
        say(f"wrote {one_line(path)}")
    return 0


class _Watch:
    """Progress with running accuracy: a bar on a terminal, a line a minute in a file."""

    def __init__(self, progress: ProgressLine) -> None:
        self.progress = progress
        self.right = self.used = 0
        self.started = self.told = time.monotonic()

    def __call__(self, done: int, total: int, found: Sequence[ClipResult]) -> None:
        self.used += sum(result.rank is not None for result in found)
        self.right += sum(result.rank == 1 for result in found)
        words = f"{done}/{total} clips, top-1 {self.right / self.used:.1%}" if self.used else ""
        self.progress(words or f"{done}/{total} clips", done / max(total, 1))
        now = time.monotonic()
        if self.progress.shown or not words or now - self.told < SECONDS_BETWEEN_LINES:
            return
        self.told = now
        left = (now - self.started) * (total - done) / done
        print(f"{words}, {left / 60:.0f} min left", file=sys.stderr, flush=True)


def _say_report(report: EvaluationReport) -> None:
    unusable = len(report.clips) - len(report.used)
    say(f"{one_line(report.model)} on {one_line(report.data)}, {report.protocol} protocol")
    say(f"  clips           {len(report.used)} used, {unusable} unusable")
    say(f"  top-1           {_share(report.top1)}")
    say(f"  top-5           {_share(report.top5)}")
    if unusable:
        say(f"  top-1 of all    {_share(report.top1_of_all)}  (an unusable clip counts as wrong)")
    _say_official(report)
    speed = report.run.videos_per_second
    say(f"  speed           {'-' if speed is None else f'{speed:.2f} videos per second'}")
    say(
        f"  cost            {report.run.gmacs_per_clip:,.2f} GMACs per clip, "
        f"{report.run.parameters / 1e6:.2f} M parameters"
    )
    for name, value in report.published.items():
        say(f"  published       {one_line(name)} {value:g}")
    _say_lost(report)
    _say_classes(report)


def _say_official(report: EvaluationReport) -> None:
    official = report.official_loader
    if official is None:
        return
    say(
        f"  official loader would silently lose {official.dropped} of them "
        f"({official.share:.1%}); top-1 of those it keeps {_share(official.top1_of_kept)}"
    )


def _say_lost(report: EvaluationReport) -> None:
    for group in report.unusable:
        examples = ", ".join(one_line(path, limit=60) for path in group.examples)
        say(f"  unusable {group.clips}: {one_line(group.reason)} ({examples})")
    if report.unknown_classes:
        lost = sum(report.unknown_classes.values())
        say(f"  the model does not know {len(report.unknown_classes)} classes, {lost} clips lost:")
        for label, clips in report.unknown_classes.items():
            say(f"    {one_line(label, limit=60)}  {clips}")
    for note in report.notes:
        say(f"  note: {one_line(note)}")


def _say_classes(report: EvaluationReport) -> None:
    rows = sorted(
        (row for row in report.per_class if row.top1 is not None),
        key=lambda row: (row.top1 or 0.0, row.label),
    )
    if len(rows) > TABLE_ROWS:
        say(f"  weakest {TABLE_ROWS} of {len(rows)} classes:")
        rows = rows[:TABLE_ROWS]
    for row in rows:
        name = one_line(row.label, limit=LABEL_WIDTH)
        taken = f"  taken for {one_line(row.taken_for)}" if row.taken_for is not None else ""
        say(f"  {name:<{LABEL_WIDTH}} {_share(row.top1)} of {row.used}{taken}")


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:>6.1%}"


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else one_line(value)
