"""`score`: which explanations are any good; its flags, what it does and what it prints."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stam_core.cli.output import ProgressLine, complain, progress_line
from stam_core.errors import ParameterError, StamError

if TYPE_CHECKING:
    from stam_core.engine import Engine
    from stam_core.evaluate.journal import Journal
    from stam_core.metrics.score import ClipTruth
    from stam_core.metrics.score_records import ClipScores, ScoreSettings
    from stam_core.types import Clip

RENDERED = 200  # clips where no folder is named
SECONDS_BETWEEN_LINES = 60  # of progress where stderr is a file
INTERRUPTED = 130  # 128 + SIGINT, as shells count

SCORE_EXAMPLES = """\
Every method that scores frames or patches is asked about the class that the model predicts. Frames
are taken away and brought back in the order of its scores, under three ways to take a frame away
(drop it, put the mean embedding there, hold the nearest kept frame), and compared with random
orders of the same clip: z is in standard deviations, above 0 is better than random. On rendered
clips the truth is known too: which frames carry the action, where the moving limbs are.

With --out, every clip's scores are on the disc as soon as they are there; the same command goes on
where it stopped, and scores.json is written at the end.

examples:
  python -m stam_core score --rendered 200 --out results
  python -m stam_core score my_clips --methods rollout shapley gradient-attention
  python -m stam_core score my_clips --limit 50 --patches mean --json
"""


def add_score_flags(parser: Any, positive: Any, not_negative: Any) -> None:  # noqa: ANN401 - argparse's converters
    """The flags of `score` beside those about the model.

    Args:
        parser: to add to.
        positive: turns text into a whole number from 1 up.
        not_negative: turns text into a whole number from 0 up.
    """
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="of clips, looked through to the end"
    )
    clips = parser.add_argument_group("which clips")
    clips.add_argument(
        "--rendered",
        type=positive,
        metavar="N",
        help=f"freshly rendered clips instead of a folder ({RENDERED})",
    )
    clips.add_argument(
        "--seed",
        type=not_negative,
        default=7,
        metavar="S",
        help="of rendered clips and random orders (%(default)s)",
    )
    clips.add_argument(
        "--limit", type=positive, metavar="N", help="at most N clips of the folder, evenly spread"
    )
    asked = parser.add_argument_group("what is scored")
    asked.add_argument(
        "--methods", nargs="+", metavar="NAME", help="see explain --list (all that have a ranking)"
    )
    asked.add_argument(
        "--orders", type=positive, default=100, metavar="N", help="random ones (%(default)s)"
    )
    asked.add_argument(
        "--patches",
        choices=("mean", "blur"),
        help="judge patches too, hidden by the clip's mean colour or by blur; dearer",
    )
    asked.add_argument(
        "--randomise",
        type=not_negative,
        default=0,
        metavar="N",
        help="on the first N clips, shuffle the model's weights layer by layer and see whether "
        "the maps change; costs every method once per layer (%(default)s)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, metavar="DIR", help="journal and scores; goes on there")
    output.add_argument("--fresh", action="store_true", help="forget what --out holds")


def run_score(options: argparse.Namespace) -> int:
    """Score methods on a folder of clips, or on freshly rendered ones."""
    # These load torch, which takes seconds.
    from stam_core.cli.models import ask_before_download
    from stam_core.cli.score_report import report
    from stam_core.engine import Engine
    from stam_core.metrics.score import scorable
    from stam_core.metrics.score_records import ScoreSettings

    _check(options)
    settings = ScoreSettings(
        methods=scorable(_names(options.methods)),
        orders=options.orders,
        seed=options.seed,
        fill=options.patches,
        randomised=options.randomise,
    )
    files = [] if options.folder is None else _clips_in(options.folder, options.limit)
    ask_before_download(options)
    with progress_line() as progress:
        engine = Engine(
            options.model,
            device=options.device,
            dtype=options.dtype,
            weights=options.weights,
            progress=progress,
        )
        n_clips = len(files) or options.rendered or RENDERED
        run = _Run(engine, settings, files, options.seed, _Watch(progress, n_clips))
        try:
            clips = run.all_clips(n_clips, options.out, fresh=options.fresh)
        except KeyboardInterrupt:
            progress.clear()
            if options.out is not None:
                complain("Stopped; the scores so far are kept. Run the same command to go on.")
            return INTERRUPTED
    return report(options, engine, clips)


class _Run:
    """All clips of one call, with the journal beside them."""

    def __init__(
        self,
        engine: Engine,
        settings: ScoreSettings,
        files: Sequence[tuple[str, Path]],
        seed: int,
        watch: _Watch,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.files = files  # empty: rendered clips
        self.seed = seed
        self.watch = watch

    def all_clips(self, n_clips: int, out: Path | None, *, fresh: bool) -> list[ClipScores]:
        """Every clip's scores, in the order of the list; those in the journal are not repeated."""
        from stam_core.cli.score_journal import open_journal

        journal: Journal | None = None
        done: dict[int, ClipScores] = {}
        if out is not None:
            journal, done = open_journal(out, self._header(n_clips), n_clips=n_clips, fresh=fresh)
        with journal or nullcontext():
            for index in range(n_clips):
                if index not in done:
                    done[index] = self._one(index)
                    if journal is not None:
                        journal.add([done[index]])
                self.watch(index + 1)
        return [done[index] for index in range(n_clips)]

    def _one(self, index: int) -> ClipScores:
        from stam_core.metrics.score import score_clip
        from stam_core.metrics.score_records import ClipScores

        name, opened = self._open(index)
        if isinstance(opened, StamError):
            return ClipScores(index, name, error=str(opened))
        clip, truth = opened
        return score_clip(
            self.engine,
            clip,
            self.settings,
            index=index,
            name=name,
            truth=truth,
            told=self.watch.asking,
        )

    def _open(self, index: int) -> tuple[str, tuple[Clip, ClipTruth | None] | StamError]:
        from stam_core.metrics.score import rendered_clip

        if not self.files:
            return f"rendered {index}", rendered_clip(self.engine, index, seed=self.seed)
        name, path = self.files[index]
        try:
            return name, (self.engine.open(path), None)
        except StamError as error:
            return name, error

    def _header(self, n_clips: int) -> dict[str, object]:
        """What is asked, so that a journal of another question is not mistaken for this one's."""
        listed = "\n".join(name for name, _ in self.files) or f"rendered {n_clips}"
        return {
            "model": self.engine.info.name,
            "weights": self.engine.report.sha256,
            "list": hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest(),
            "seed": self.seed,
            "choice of methods": ", ".join(self.settings.methods),
            "number of random orders": self.settings.orders,
            "way to judge patches": self.settings.fill or "none",
            "number of clips with shuffled weights": self.settings.randomised,
            "dtype": str(self.engine.dtype),
        }


class _Watch:
    """Progress: a bar on a terminal, a line a minute in a file."""

    def __init__(self, progress: ProgressLine, total: int) -> None:
        self.progress = progress
        self.total = total
        self.done = 0
        self.told = time.monotonic()

    def __call__(self, done: int) -> None:
        self.done = done
        self.asking("")

    def asking(self, method: str) -> None:
        """The method that is asked next."""
        words = f"{self.done}/{self.total} clips"
        self.progress(f"{words}  {method}".rstrip(), self.done / self.total)
        now = time.monotonic()
        if not self.progress.shown and now - self.told >= SECONDS_BETWEEN_LINES:
            self.told = now
            print(words, file=sys.stderr, flush=True)


def _check(options: argparse.Namespace) -> None:
    if options.folder is not None and options.rendered is not None:
        raise ParameterError("Score a folder or rendered clips, not both: leave one of them out.")
    if options.folder is None and options.limit is not None:
        raise ParameterError("--limit is for a folder; --rendered says how many clips to render.")
    if options.fresh and options.out is None:
        raise ParameterError("--fresh forgets what --out holds: name that folder too.")
    if options.orders < 2:
        raise ParameterError("A band needs at least 2 random orders; 100 is usual.")


def _names(methods: Sequence[str] | None) -> list[str] | None:
    """The names given, also where commas stand between them."""
    if methods is None:
        return None
    return [name for word in methods for name in word.split(",") if name]


def _clips_in(folder: Path, limit: int | None) -> list[tuple[str, Path]]:
    """(name, path) of the video files of a folder, or of one file.

    Raises:
        ParameterError: there are none.
    """
    from stam_core.train.folder import VIDEO_SUFFIXES

    try:
        if folder.is_file():
            return [(folder.name, folder)]
        if not folder.is_dir():
            raise ParameterError(f"There is no folder {str(folder)!r}. Check its path.")
        paths = sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in VIDEO_SUFFIXES
            and not path.name.startswith(".")
            and path.is_file()
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        why = getattr(error, "strerror", None) or "its name is not valid"
        raise ParameterError(f"{str(folder)!r} cannot be read: {why}.") from error
    if not paths:
        known = ", ".join(sorted(VIDEO_SUFFIXES))
        raise ParameterError(f"The folder {str(folder)!r} holds no video files ({known}).")
    if limit is not None and limit < len(paths):
        paths = [paths[place * len(paths) // limit] for place in range(limit)]
    return [(str(path.relative_to(folder)), path) for path in paths]
