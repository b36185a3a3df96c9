"""The command line's grammar: six commands, their flags and the help that explains them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from stam_core.cli.evaluate import EVALUATE_EXAMPLES, add_evaluate_flags
from stam_core.cli.flags import (
    DEFAULT_METHOD,
    DEFAULT_MODEL,
    add_method_flags,
)
from stam_core.cli.score import SCORE_EXAMPLES, add_score_flags
from stam_core.cli.train import TRAIN_EXAMPLES, add_train_flags
from stam_core.errors import StamError
from stam_core.limits import describe_limits

PROGRAM = "python -m stam_core"
DESCRIPTION = """\
See what a space-time transformer thinks is happening in a clip, and which frames and patches made
it think so."""
LIMITS = f"""\
limits on a clip, each from an environment variable (with its default):
{describe_limits()}"""
EXAMPLES = f"""\
examples:
  {PROGRAM} predict clip.mp4
  {PROGRAM} predict *.mp4 --json > actions.jsonl
  {PROGRAM} explain clip.mp4 --out results
  {PROGRAM} explain clip.mp4 --method spatial-rollout --help    (the method's own flags)
  {PROGRAM} explain --list
  {PROGRAM} models
  {PROGRAM} evaluate --rendered 1000 --seed 7 --json
  {PROGRAM} score my_clips --out results

exit code: 0, or 2 with one line on stderr that says what to mend.
"""
PREDICT_EXAMPLES = f"""\
A clip that fails gets its error, the others still run; the exit code is then 2. With --json every
clip is one line, {{"clip", "model", "frame_indices", "seconds", "predictions"}} or
{{"clip", "error"}}.

examples:
  {PROGRAM} predict clip.mp4 --top 3
  {PROGRAM} predict clip.mp4 --model stam-16 --weights stam_16.pth --sampling official
  {PROGRAM} predict long.mp4 --span 12.5 17 --out results
  {PROGRAM} predict -- -clip-with-a-dash.mp4

{LIMITS}
"""
EXPLAIN_EXAMPLES = f"""\
With --out each clip leaves a strip figure (PNG or PDF), an overlay film (MP4) and every number
(JSON); files that exist are kept, the new ones get a number. The flags below "{{method}}" belong to
the method and the model that are chosen.

examples:
  {PROGRAM} explain clip.mp4 --out results
  {PROGRAM} explain clip.mp4 --method temporal-attention --json
  {PROGRAM} explain clip.mp4 --report --gif --out results
  {PROGRAM} explain clip.mp4 --opacity 0.4 --colours inferno --figure pdf --out results

{{limits}}
"""
MODELS_EXAMPLES = f"""\
examples:
  {PROGRAM} models
  {PROGRAM} models --json
"""


class UsageError(StamError):
    """The command line cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, raised instead of printed."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting."""
        raise UsageError(f"{message} (see: {self.prog} --help)")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of one call; `options.command` names the command.

    Raises:
        StamError: The line cannot be understood, or names an unknown model or method.
        SystemExit: Help was asked for and printed.
    """
    parser = Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_predict(_command(commands, "predict", "what happens in a clip", PREDICT_EXAMPLES))
    explain = _command(commands, "explain", "which frames and patches speak for it", "")
    _add_explain(explain)
    _add_json(_command(commands, "models", "which models there are", MODELS_EXAMPLES))
    train = _command(
        commands, "train", "make a model, or fine-tune one on your clips", TRAIN_EXAMPLES
    )
    _add_json(train)
    _add_evaluate(_command(commands, "evaluate", "how good a model is", EVALUATE_EXAMPLES))
    _add_score(_command(commands, "score", "how good the explanations are", SCORE_EXAMPLES))
    # Drawn from the registries only when needed: they load torch, which takes seconds.
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    if chosen == "explain":
        explain.epilog = EXPLAIN_EXAMPLES.format(
            method=add_method_flags(explain, arguments), limits=LIMITS
        )
    elif chosen == "train":
        add_train_flags(train)
    try:
        return parser.parse_args(arguments)
    except UsageError as error:
        raise UsageError(f"{error}{_dashed_files(arguments)}") from None


def _dashed_files(arguments: Sequence[str]) -> str:
    """A hint for clips that were taken for flags."""
    dashed = [word for word in arguments if word.startswith("-") and Path(word).is_file()]
    if not dashed or "--" in arguments:
        return ""
    return f". A clip whose name begins with a dash goes after --, as in: -- {dashed[0]}"


def _command(commands: Any, name: str, summary: str, examples: str) -> Parser:  # noqa: ANN401 - argparse's own type is private
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--verbose", action="store_true", help="log what is done, on stderr")
    return parser


def _add_json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def _add_model_flags(parser: Parser, *, running: bool = True) -> None:
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help="a name that `models` lists (%(default)s), or a checkpoint that describes itself",
    )
    group.add_argument(
        "--weights", metavar="FILE|URL", help="a checkpoint to use instead of the model's own"
    )
    group.add_argument(
        "--download",
        action="store_true",
        help="fetch the model's published weights where they are not on this machine yet",
    )
    if running:
        group.add_argument(
            "--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)"
        )
        group.add_argument(
            "--dtype", default="auto", help="auto, float32, bfloat16 or float16 (%(default)s)"
        )


def _add_clip_flags(parser: Parser, *, n_clips: Literal["*", "+"]) -> None:
    parser.add_argument("clips", nargs=n_clips, metavar="CLIP", help="a video file")
    group = parser.add_argument_group("which frames")
    group.add_argument(
        "--sampling",
        metavar="POLICY",
        help="uniform: evenly over the clip; official: as the model's authors did",
    )
    group.add_argument(
        "--span",
        nargs=2,
        type=float,
        metavar=("START", "END"),
        help="only this part of the clip, in seconds",
    )
    group.add_argument(
        "--decoding",
        choices=("apart", "here"),
        default="apart",
        help="apart: in a process that can do nothing else, for files nobody vouches for; here: "
        "in this one (%(default)s)",
    )


def _add_output_flags(parser: Parser, what: str) -> None:
    group = parser.add_argument_group("output")
    _add_json_to(group)
    group.add_argument("--out", type=Path, metavar="DIR", help=f"write {what} into this folder")
    group.add_argument(
        "--figure", choices=("png", "pdf"), default="png", help="kind of figure (%(default)s)"
    )


def _add_json_to(group: Any) -> None:  # noqa: ANN401 - argparse's group type is private
    group.add_argument("--json", action="store_true", help="print JSON, for programs")


def _add_predict(parser: Parser) -> None:
    _add_clip_flags(parser, n_clips="+")
    _add_model_flags(parser)
    _add_output_flags(parser, "a strip figure and every number (JSON)")
    parser.add_argument(
        "--top", type=_positive, default=5, metavar="K", help="how many actions (%(default)s)"
    )


def _add_explain(parser: Parser) -> None:
    _add_clip_flags(parser, n_clips="*")
    parser.add_argument(
        "--method", default=DEFAULT_METHOD, metavar="NAME", help="see --list (%(default)s)"
    )
    parser.add_argument(
        "--target",
        metavar="LABEL",
        help="the action to explain, a label or its index (the likeliest one)",
    )
    parser.add_argument(
        "--foil",
        metavar="LABEL",
        help="the action it is held against: why not this one? (none)",
    )
    parser.add_argument("--list", action="store_true", help="list the methods and stop")
    _add_model_flags(parser)
    _add_output_flags(parser, "a strip figure, an overlay film and every number (JSON)")
    parser.add_argument("--gif", action="store_true", help="with --out: the film as a GIF too")
    parser.add_argument(
        "--report",
        action="store_true",
        help="with --out: a page too that opens offline, with the strip to play with (HTML)",
    )
    _add_style_flags(parser)


def _add_style_flags(parser: Parser) -> None:
    group = parser.add_argument_group("drawing")
    group.add_argument(
        "--colours", metavar="MAP", help="cividis, viridis, inferno; blue-orange for signed scores"
    )
    group.add_argument(
        "--opacity", type=float, default=0.6, help="of the heat, 0 to 1 (%(default)s)"
    )
    group.add_argument(
        "--scale",
        choices=("clip", "frame"),
        default="clip",
        help="one colour scale for the clip, or one per frame, which also makes noise shine",
    )
    group.add_argument(
        "--floor",
        choices=("zero", "lowest"),
        default="zero",
        help="the score of the first colour: lowest shows small differences large (%(default)s)",
    )
    group.add_argument(
        "--smoothing",
        choices=("grid", "smooth"),
        default="grid",
        help="patches as they are, or blended into each other (%(default)s)",
    )


def _add_evaluate(parser: Parser) -> None:
    _add_model_flags(parser, running=False)
    _add_json(parser)
    add_evaluate_flags(parser, _positive, _not_negative)


def _add_score(parser: Parser) -> None:
    _add_model_flags(parser)
    _add_json(parser)
    add_score_flags(parser, _positive, _not_negative)


def _positive(text: str) -> int:
    return _whole(text, lowest=1)


def _not_negative(text: str) -> int:
    return _whole(text, lowest=0)


def _whole(text: str, *, lowest: int) -> int:
    if not text.strip().isdecimal() or len(text) > 18 or int(text) < lowest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} up")
    return int(text)
