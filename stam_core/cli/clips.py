"""What each command does, once its line is understood. Every command returns its exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stam_core.cli.evaluate import run_evaluate
from stam_core.cli.models import ask_before_download, run_models
from stam_core.cli.output import (
    OutputFolder,
    ProgressLine,
    complain,
    progress_line,
    say,
    say_clip,
    say_explanation,
    say_json,
    say_predictions,
    write_json,
)
from stam_core.cli.parser import UsageError
from stam_core.cli.score import run_score
from stam_core.cli.train import run_train
from stam_core.engine import Engine
from stam_core.errors import StamError, UnknownNameError
from stam_core.explain import EXPLAINERS
from stam_core.explain.base import EVERY_SCHEME
from stam_core.gather import gather_evidence
from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.render.figures import render_strip, save_figure
from stam_core.render.film import FILM_FPS, render_film, write_gif
from stam_core.render.numbers import json_ready, numbers
from stam_core.render.repeat import Question, bare_name
from stam_core.render.report import render_report, write_report
from stam_core.render.words import one_line
from stam_core.types import Clip, ModelInfo
from stam_core.video.apart import default_pool
from stam_core.video.encode import write_mp4

OK = 0
MENDABLE = 2  # something the user can mend went wrong
Work = Callable[[str, ProgressLine], None]  # does one clip and prints its result


def run_command(options: argparse.Namespace) -> int:
    """Do what the options say.

    Raises:
        StamError: Something the user can mend.
    """
    return COMMANDS[options.command](options)


def run_predict(options: argparse.Namespace) -> int:
    """The likeliest actions of every clip."""
    out = None if options.out is None else OutputFolder(options.out)
    engine = _open_engine(options)

    def work(path: str, progress: ProgressLine) -> None:
        clip = _open_clip(engine, path, options, progress)
        prediction = engine.predict(clip)
        progress.clear()
        best = prediction.top(options.top)
        if options.json:
            say_json(
                {
                    "clip": path,
                    "model": engine.info.name,
                    "frame_indices": json_ready(clip.frame_indices),
                    "seconds": json_ready(clip.seconds),
                    "predictions": [
                        {"label": label, "probability": probability} for label, probability in best
                    ],
                }
            )
        else:
            say_clip(path, clip, engine.info.title)
            say_predictions(best)
        if out is not None:
            evidence = gather_evidence(engine, clip, clip_name=path)
            _write_results(out, evidence, HeatStyle(), engine, options, quiet=options.json)

    return _each_clip(options, work)


def run_explain(options: argparse.Namespace) -> int:
    """The scores of one method for every clip, with their pictures where a folder is given."""
    if options.list:
        return _list_methods(options)
    if not options.clips:
        raise UsageError("name at least one clip (see python -m stam_core explain --help)")
    about = EXPLAINERS[options.method].info
    style = HeatStyle(
        colours=options.colours,
        opacity=options.opacity,
        scale=options.scale,
        floor=options.floor,
        smoothing=options.smoothing,
    )
    style.colours_for(about.signed)  # refuse before the work, not after
    _check_explain(options, uses_target=about.uses_target)
    out = None if options.out is None else OutputFolder(options.out)
    engine = _open_engine(options)
    target, foil = (_target(label, engine.info) for label in (options.target, options.foil))
    parameters = {
        name: getattr(options, f"parameter_{name}")
        for name in options.parameter_names
        if hasattr(options, f"parameter_{name}")
    }

    def work(path: str, progress: ProgressLine) -> None:
        clip = _open_clip(engine, path, options, progress)
        progress("explaining", 0.5)
        explanation = engine.explain(
            clip, method=about.name, target=target, foil=foil, **parameters
        )
        evidence = gather_evidence(engine, clip, clip_name=path, explanation=explanation)
        progress.clear()
        if not options.json:
            say_clip(path, clip, engine.info.title)
            say_predictions(evidence.prediction.top(5))
            say(f"  {about.title}" + _for_target(evidence))
            say_explanation(clip, explanation)
            say(f"  {one_line(about.caveat)}")
        files = []
        if out is not None:
            files = _write_results(out, evidence, style, engine, options, quiet=options.json)
        if options.json:
            say_json({**_numbers(evidence, engine), "files": files})

    return _each_clip(options, work)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "predict": run_predict,
    "explain": run_explain,
    "models": run_models,
    "train": run_train,
    "evaluate": run_evaluate,
    "score": run_score,
}


def _each_clip(options: argparse.Namespace, work: Work) -> int:
    """Do every clip; one that fails says so and does not stop the others."""
    failures: list[tuple[str, StamError]] = []
    with progress_line() as progress:
        for index, path in enumerate(options.clips):
            if len(options.clips) > 1:
                progress.prefix = f"{index + 1}/{len(options.clips)} "
            try:
                work(path, progress)
            except StamError as error:
                progress.clear()
                failures.append((path, error))
                if options.json:
                    say_json({"clip": path, "error": str(error)})
                elif len(options.clips) > 1:
                    say(one_line(path))
                    say(f"  error: {one_line(error)}")
    if not failures:
        return OK
    path, reason = failures[0]
    if len(options.clips) > 1:
        complain(f"{len(failures)} of {len(options.clips)} clips failed; first {path}: {reason}")
    else:
        complain(f"{path}: {reason}")
    return MENDABLE


def _open_engine(options: argparse.Namespace) -> Engine:
    ask_before_download(options)
    if options.decoding == "apart":
        default_pool().warm_up()  # while torch and the model are loaded
    with progress_line() as progress:
        return Engine(
            options.model,
            device=options.device,
            dtype=options.dtype,
            weights=options.weights,
            decoding=options.decoding,
            progress=progress,
        )


def _open_clip(
    engine: Engine, path: str, options: argparse.Namespace, progress: ProgressLine
) -> Clip:
    progress("opening", 0.0)
    span = None if options.span is None else (options.span[0], options.span[1])
    return engine.open(path, sampling=options.sampling, span_seconds=span, progress=progress)


def _target(text: str | None, info: ModelInfo) -> str | int | None:
    """A label as it is; a number as a class index, unless a label looks like it."""
    if text is None or text in info.labels:
        return text
    if text.isdecimal() and len(text) < 10:
        return int(text)
    if len(info.labels) > 40:
        raise StamError(
            f"There is no label {text!r} in {info.name}; `predict` shows the likeliest ones."
        )
    raise UnknownNameError("label", text, list(info.labels))


def _check_explain(options: argparse.Namespace, *, uses_target: bool) -> None:
    """Refuse flags that would do nothing.

    Raises:
        UsageError: a file is asked for and no folder, or a contrast of a method without classes.
    """
    asked = [flag for flag in ("gif", "report") if getattr(options, flag)]
    if asked and options.out is None:
        raise UsageError(f"--{asked[0]} writes a file: name a folder for it with --out")
    if options.foil is not None and not uses_target:
        raise UsageError(
            f"--foil asks for a contrast, and {options.method} knows no class: its scores are the "
            "same for all (see explain --list)"
        )


def _for_target(evidence: Evidence) -> str:
    label, foil = evidence.target_label, evidence.foil_label
    against = "" if foil is None else f" rather than “{one_line(foil)}”"
    return "" if label is None else f" for “{one_line(label)}”{against}"


def _numbers(evidence: Evidence, engine: Engine) -> dict[str, Any]:  # Any: JSON
    return numbers(evidence, weights_digest=engine.report.sha256)


def _write_results(
    out: OutputFolder,
    evidence: Evidence,
    style: HeatStyle,
    engine: Engine,
    options: argparse.Namespace,
    *,
    quiet: bool,
) -> list[str]:
    """Figure, film (where there are scores), numbers and what was asked for; the paths written."""
    scores = evidence.explanation
    kind = "prediction" if scores is None else scores.method
    wanted: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: write_json(path, _numbers(evidence, engine)),
        f".{options.figure}": lambda path: save_figure(render_strip(evidence, style=style), path),
    }
    if scores is not None:
        film = render_film(evidence, style=style)
        wanted[".mp4"] = lambda path: write_mp4(path, film, FILM_FPS)
        if options.gif:
            wanted[".gif"] = lambda path: write_gif(path, film, FILM_FPS)
        if options.report:
            report = render_report(
                evidence,
                question=_question(evidence, options),
                weights_digest=engine.report.sha256,
            )
            wanted[".html"] = lambda path: write_report(path, report)
    with out.claimed(evidence.clip_name, kind, list(wanted)) as paths:
        # The claimed first file, the numbers, is filled last: it stands for a finished result.
        for path, write in reversed(list(zip(paths, wanted.values(), strict=True))):
            write(path)
    if not quiet:
        for path in paths:
            say(f"  wrote {one_line(path)}")
    return [str(path) for path in paths]


def _question(evidence: Evidence, options: argparse.Namespace) -> Question:
    """What was asked, for the lines in the report that repeat it."""
    scores = evidence.explanation
    assert scores is not None  # reports are written of explanations
    return Question(
        clip=bare_name(evidence.clip_name),
        model=bare_name(options.model),
        weights=None if options.weights is None else bare_name(options.weights),
        sampling=options.sampling,
        span_seconds=None if options.span is None else (options.span[0], options.span[1]),
        method=scores.method,
        target=evidence.target_label if options.target is not None else None,
        foil=evidence.foil_label,
        parameters=scores.parameters,
    )


def _list_methods(options: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = [  # Any: JSON
        {
            "name": kind.info.name,
            "title": kind.info.title,
            "paper": kind.info.paper,
            "outputs": sorted(kind.info.outputs),
            "signed": kind.info.signed,
            "uses_target": kind.info.uses_target,
            "cost": kind.info.passes,
            "schemes": sorted(kind.info.schemes),
            "summary": kind.info.summary,
            "caveat": kind.info.caveat,
        }
        for kind in EXPLAINERS.values()
    ]
    if options.json:
        say_json(rows)
        return OK
    for row in rows:
        say(f"{row['name']}: {row['title']}" + (f" ({row['paper']})" if row["paper"] else ""))
        say(f"    {row['summary']}")
        say(f"    scores for {' and '.join(row['outputs'])}; cost: {row['cost']}")
        if row["schemes"] != sorted(EVERY_SCHEME):
            say(f"    for models of the scheme {' or '.join(row['schemes'])} (see models)")
        say(f"    {row['caveat']}")
    return OK
