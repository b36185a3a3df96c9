"""`train`: its flags, drawn from the records of options, and what it does."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from stam_core.cli.output import ProgressLine, complain, progress_line, say, say_json
from stam_core.cli.output import say_predictions as say_shares
from stam_core.errors import ParameterError
from stam_core.render.words import one_line

if TYPE_CHECKING:
    from stam_core.train import FineTuned, FineTuneOptions, TrainOptions

    Kind = TypeVar("Kind", TrainOptions, FineTuneOptions)

SIGNALLED = 128  # plus the signal's number, as shells count

TRAIN_EXAMPLES = """\
Without --data the embedded model is made anew from rendered clips. With --data a model learns the
classes of your own clips: a folder per class in it, named like the class, or train/ and val/ with
such folders; without val/ some clips of every class are held out. Clips that cannot be read are
skipped and listed in skipped.csv. The result opens in the app and with --model, its labels in it.

A training that was interrupted, or killed, goes on where it stopped when the same command is run
again. The work folder holds its state, a line of metrics every few steps (metrics.jsonl) and their
curves (curves.png).

examples:
  python -m stam_core train --data my-clips --out mine.safetensors
  python -m stam_core train --data my-clips --from official:stam_16.pth --freeze none --batch 4
  python -m stam_core train --data my-clips --from timm:vit_small_patch16_224 --download
  python -m stam_core predict clip.mp4 --model mine.safetensors

  python -m stam_core train --out assets/stam-actions.safetensors --seed 0
  python -m stam_core train --out /tmp/try.safetensors --clips 64 --plain-clips 64 --space-steps 20
  python -m stam_core train --out divided.safetensors --scheme divided
  torchrun --nproc-per-node 2 -m stam_core train --out mine.safetensors --device cuda
"""

COMMON_HELP = {
    "out": "the checkpoint to write, figures beside it; with --data fine-tuned.safetensors",
    "work": "folder of clips, unfinished stages, metrics and curves (beside the checkpoint)",
    "seed": "of the data, the first weights and the order",
    "optimizer": "an optimiser by timm's name",
    "weight_decay": "of matrices; biases and norms have none",
    "ema": "share of the weights' moving average kept per step; the average is shipped; 0: off",
    "threads": "CPU threads; each holds its own part of a batch (one per core)",
    "workers": "processes that render or decode",
    "device": "auto, cpu, cuda or cuda:N; under torchrun cuda is one GPU per process",
    "precision": "number format of matrix products; auto: bf16 where the hardware has it",
    "save_seconds": "between two saved states, at most",
    "save_steps": "between two saved states, at most",
}
RENDERED_HELP = {
    "scheme": "attention of the model: factorised (STAM), divided or joint (TimeSformer), or space "
    "(frames never meet); none but the first has a stage of time by itself",
    "clips": "rendered clips of the full variety",
    "plain_clips": "rendered clips before plain walls, for the beginning",
    "begin_with": "checkpoint made here to go on from, with --space-steps 0 --time-steps 0 right "
    "to both stages together; of a STAM, other schemes take the spatial stage",
    "space_steps": "steps that teach the spatial stage where joints are",
    "time_steps": "steps that teach the temporal stage actions",
    "joint_steps": "steps of both stages together",
    "joint_clips": "further rendered clips, which only the joint stage sees",
    "joint_lr": "highest learning rate of both stages together (2e-4 for 256 frames a step)",
    "roaming": "share of the joint stage's people who go or stand that are seen as from a wall: "
    "they come in, leave, turn, have their hands full",
    "batch_frames": "frames per step of the spatial stage",
    "batch_clips": "clips per step of the temporal stage",
    "evaluation_clips": "held-out clips after each stage",
}
DATA_HELP = {
    "data": "folder of your clips: DIR/class name/clip.mp4, or DIR/train and DIR/val in that way",
    "start": "embedded, timm:NAME (a ViT image model), official:FILE, or a file this program wrote",
    "start_weights": "local weights of a timm start",
    "download": "fetch the weights of a timm start",
    "num_frames": "frames per clip of a timm start (16); other starts bring their own",
    "time_depth": "temporal layers of a timm start",
    "freeze": "space: keep the spatial stage and train on stored embeddings, fast; none: train all",
    "steps": "of training",
    "batch": "clips per step",
    "lr": "highest learning rate (1e-3 with --freeze space, else 1e-4)",
    "layer_decay": "with --freeze none: how much slower each spatial layer learns than the next",
    "views": "with --freeze space: crops and colours of each clip to embed",
    "flip": "mirror clips; auto: unless a label says left, right or clockwise",
    "min_crop": "smallest share of a picture's area that a crop keeps",
    "colour": "share by which brightness, contrast and saturation vary",
    "label_smoothing": "share of the target that is spread over all classes",
    "mixup": "alpha of mixup; 0: none",
    "val_share": "of every class, held out where the folder has no val/; at least one clip",
}
TRAIN_HELP = {**COMMON_HELP, **RENDERED_HELP, **DATA_HELP}


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """One flag per field of the options of both kinds of training."""
    from stam_core.train import FineTuneOptions, TrainOptions

    own = parser.add_argument_group("your own clips")
    _add_fields(own, FineTuneOptions, DATA_HELP)
    _add_fields(parser.add_argument_group("rendered clips"), TrainOptions, RENDERED_HELP)
    _add_fields(parser.add_argument_group("any training"), TrainOptions, COMMON_HELP)


def run_train(options: argparse.Namespace) -> int:
    """Make the embedded model anew, or fine-tune one on a folder."""
    from stam_core.train import TrainingStoppedError
    from stam_core.train.distributed import is_first_process

    tells = is_first_process()
    with progress_line() as progress:
        try:
            if hasattr(options, "data"):
                return _run_fine_tune(options, progress, tells=tells)
            return _run_rendered(options, progress, tells=tells)
        except TrainingStoppedError as stop:
            progress.clear()
            if tells:
                complain(stop)
            return SIGNALLED + stop.signal_number
        except KeyboardInterrupt:
            progress.clear()
            if tells:
                complain("Stopped; what is finished is kept. Run the same command again to go on.")
            return SIGNALLED + signal.SIGINT


def _run_rendered(options: argparse.Namespace, progress: ProgressLine, *, tells: bool) -> int:
    from stam_core.train import TrainOptions, train

    training = _options_of(TrainOptions, options, DATA_HELP, "needs --data DIR")
    checkpoint = train(training, progress if progress.shown and tells else None)
    progress.clear()
    if not tells:
        return 0
    if options.json:
        say_json({"checkpoint": str(checkpoint)})
    else:
        say(f"The checkpoint is {one_line(checkpoint)}")
        say(f"Metrics and curves are in {one_line(training.work_folder)}")
    return 0


def _run_fine_tune(options: argparse.Namespace, progress: ProgressLine, *, tells: bool) -> int:
    from stam_core.train import FineTuneOptions, fine_tune

    training = _options_of(FineTuneOptions, options, RENDERED_HELP, "has no meaning with --data")
    made = fine_tune(training, progress if progress.shown and tells else None)
    progress.clear()
    if not tells:
        return 0
    if options.json:
        say_json(_facts(made))
    else:
        _say_fine_tuned(made)
    return 0


def _facts(made: FineTuned) -> dict[str, Any]:  # Any: JSON
    return {
        "checkpoint": str(made.checkpoint),
        "labels": list(made.labels),
        "train_clips": made.n_train,
        "val_clips": made.n_val,
        "skipped_clips": made.n_skipped,
        "notes": list(made.notes),
        "validation": made.validation,
        "work": str(made.work_folder),
    }


def _say_fine_tuned(made: FineTuned) -> None:
    say(f"{len(made.labels)} classes from {made.n_train} clips, {made.n_val} held out")
    if made.n_skipped:
        say(f"  {made.n_skipped} files skipped: {one_line(made.work_folder / 'skipped.csv')}")
    for note in made.notes:
        say(f"  note: {one_line(note)}")
    if made.validation is not None:
        say(f"  top-1 {made.validation['top1']:.1%} on the clips held out; by class:")
        say_shares(list(made.validation["per_class"].items()))
    say(f"The checkpoint is {one_line(made.checkpoint)}; try it with")
    say(f"  python -m stam_core predict clip.mp4 --model {one_line(made.checkpoint)}")
    say(f"Metrics and curves are in {one_line(made.work_folder)}")


def _options_of(
    kind: type[Kind], options: argparse.Namespace, others: Iterable[str], why: str
) -> Kind:
    """The options of one kind of training.

    Raises:
        ParameterError: a flag of the other kind was given, or a value cannot be used.
    """
    astray = [name for name in others if name != "data" and hasattr(options, name)]
    if astray:
        raise ParameterError(f"{_flag(astray[0])} {why} (see: python -m stam_core train --help).")
    given = {
        entry.name: getattr(options, entry.name)
        for entry in fields(kind)
        if hasattr(options, entry.name)
    }
    return kind(**given)


def _add_fields(group: Any, kind: type[Any], helps: dict[str, str]) -> None:  # noqa: ANN401 - argparse's group type is private
    types = get_type_hints(kind)
    by_name = {entry.name: entry for entry in fields(kind)}
    for name in helps:
        group.add_argument(
            *_flags(name),
            default=argparse.SUPPRESS,
            help=_help(by_name[name]).replace("%", "%%"),
            **_conversion(types[name]),
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _flags(name: str) -> tuple[str, ...]:
    """The flag's names: torchrun mistakes --start for one of its own, so there is a second."""
    return (_flag(name), "--from") if name == "start" else (_flag(name),)


def _help(entry: Field[Any]) -> str:
    words, default = TRAIN_HELP[entry.name], entry.default
    if default is None or default is MISSING or default is False:
        return words
    return f"{words} ({default})"


def _conversion(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type form, not always a class
    """How argparse turns the text of a flag into a field of that type."""
    if kind is bool:
        return {"action": "store_true"}
    named = get_origin(kind) is Literal
    # `int` for `int` and for `int | None`
    entries = (kind,) if named else get_args(kind) or (kind,)
    plain = next(entry for entry in entries if entry is not type(None))
    if get_origin(plain) is Literal:
        return {"choices": get_args(plain)}
    return {"type": plain, "metavar": plain.__name__.upper()}
