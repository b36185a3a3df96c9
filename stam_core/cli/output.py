"""What the command line leaves behind: lines on the terminal and files in a folder."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from stam_core.errors import StamError
from stam_core.render.words import one_line, time_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stam_core.types import Clip, Explanation

BAR_WIDTH = 28  # characters
STRONGEST_PAIRS = 8
BLOCKS = "▁▂▃▄▅▆▇█"
LABEL_WIDTH = 30
NAME_CHARACTERS = 60  # of a clip's name in a file's name; with endings still far below 255 bytes
# Names that Windows keeps for devices, whatever the ending.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)
MOST_COPIES = 10_000


class OutputError(StamError):
    """A result cannot be written."""


def say(text: str = "") -> None:
    """One line of text on stdout, also where the terminal lacks some of its letters."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def say_json(value: object) -> None:
    """One JSON value on one line; plain ASCII, so that any name survives any terminal."""
    print(json.dumps(value, allow_nan=False), flush=True)


def complain(message: object) -> None:
    """One line on stderr."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    line = one_line(f"{PREFIX}{message}")
    print(line.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


PREFIX = "stam_core: "
BAR_FORMAT = "{percentage:3.0f}% |{bar:20}| {elapsed}<{remaining} {desc}"


class ProgressLine:
    """A bar on stderr, only where that is a terminal; pass the object where progress is wanted."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self.prefix = ""  # which clip of how many
        self._bar: tqdm[NoReturn] | None = None

    def __call__(self, message: str, fraction: float) -> None:
        """Move the bar; a share below the last one begins a new stage, with its own clock."""
        if not self.shown:
            return
        if self._bar is None:
            self._bar = tqdm(total=1.0, file=sys.stderr, leave=False, bar_format=BAR_FORMAT)
        share = min(max(fraction, 0.0), 1.0)
        if share < self._bar.n:
            self._bar.reset()
        self._bar.n = share
        self._bar.set_description_str(one_line(f"{self.prefix}{message}", limit=48))

    def clear(self) -> None:
        """Take the bar away before something is printed."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def progress_line() -> Iterator[ProgressLine]:
    """A progress line that is gone when the block ends, however it ends."""
    line = ProgressLine()
    try:
        yield line
    finally:
        line.clear()


def say_clip(name: str, clip: Clip, model_title: str) -> None:
    """The heading of a clip: its name, which frames were seen, by what."""
    first, last = (time_stamp(float(clip.seconds[index])) for index in (0, -1))
    say(one_line(name))
    say(
        f"  {clip.num_frames} frames of {clip.info.n_frames}, {first} to {last}; "
        f"{one_line(model_title)}"
    )
    for note in clip.notes:
        say(f"  note: {one_line(note)}")


def say_predictions(best: Sequence[tuple[str, float]]) -> None:
    """Labels with their probabilities as bars and figures."""
    for label, probability in best:
        name = one_line(label, limit=LABEL_WIDTH)
        say(f"  {name:<{LABEL_WIDTH}} {probability:>6.1%} {_bar(probability)}".rstrip())


def say_explanation(clip: Clip, scores: Explanation) -> None:
    """Frame scores as bars, the strongest patch, pairs, curves, and what is left over."""
    from stam_core.render.panels import is_curves, shown_series  # matplotlib: not for --help

    if scores.frames is not None:
        peak = float(abs(scores.frames).max()) or 1.0
        say("  frame  time        score")
        for index, value in enumerate(scores.frames):
            stamp = time_stamp(float(clip.seconds[index]))
            bar = _bar(abs(float(value)) / peak, mark="-" if value < 0 else "█")
            say(f"  {index + 1:>5}  {stamp:<9} {float(value):>8.4f} {bar}".rstrip())
    if scores.patches is not None:
        frames, height, width = scores.patches.shape
        place = int(abs(scores.patches).argmax())
        frame, row, column = place // (height * width), place // width % height, place % width
        say(
            f"  strongest of {frames}×{height}×{width} patches: frame {frame + 1}, "
            f"row {row + 1}, column {column + 1} "
            f"({float(scores.patches[frame, row, column]):.4g})"
        )
    if scores.unattributed is not None:
        say(f"  {scores.unattributed:.1%} stays on CLS tokens: on no frame or patch")
    if scores.pairs is not None:
        _say_pairs(scores.pairs)
    rows = shown_series(scores)
    for name, values in rows.items():
        say(f"  {one_line(name):<10} {_series(values, curves=is_curves(rows))}")
    if scores.series or scores.pairs is not None:
        for name, value in scores.details.items():
            say(f"  {one_line(name.replace('_', ' '))}: {value:.5g}")


def _say_pairs(pairs: NDArray[np.float32]) -> None:
    """The strongest pairs of frames, [T,T]."""
    every = [(one, other) for other in range(len(pairs)) for one in range(other)]
    every.sort(key=lambda pair: -abs(pairs[pair]))
    say("  frames      together beyond each alone")
    for one, other in every[:STRONGEST_PAIRS]:
        value = float(pairs[one, other])
        kind = "redundant" if value < 0 else "they need each other"
        say(f"  {one + 1:>3} and {other + 1:<3} {value:>8.4f} {kind}")


def _series(values: NDArray[np.float32], *, curves: bool) -> str:
    """A curve from its first to its last value; of values without an order the range."""
    if len(values) == 1:
        return f"{float(values[0]):8.4f}"
    if curves:
        return f"{float(values[0]):8.4f} to {float(values[-1]):8.4f}  {_line(values)}"
    low, high = float(values.min()), float(values.max())
    return f"{low:8.4f} to {high:8.4f}  ({len(values)} clips)"


def _line(values: NDArray[np.float32]) -> str:
    """Values as a row of blocks, the lowest to the highest."""
    low, high = float(values.min()), float(values.max())
    steps = (values - low) / ((high - low) or 1.0) * (len(BLOCKS) - 1)
    return "".join(BLOCKS[round(float(step))] for step in steps)


def _bar(share: float, *, mark: str = "█") -> str:
    return mark * round(min(max(share, 0.0), 1.0) * BAR_WIDTH)


class OutputFolder:
    """A folder for results, in which nothing is ever overwritten."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and see that files can be written into it.

        Raises:
            OutputError: It cannot be made or written to.
        """
        self.folder = folder
        with self._guarded():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass

    @contextmanager
    def claimed(self, clip_name: str, kind: str, endings: Sequence[str]) -> Iterator[list[Path]]:
        """Fresh paths for one clip's results, alike but for their endings.

        The first is created at once, which keeps two runs at the same time apart. If the block
        fails, what it wrote is removed.

        Raises:
            OutputError: A file cannot be written.
        """
        paths: list[Path] = []
        with self._guarded():
            try:
                paths = self._claim(f"{safe_stem(clip_name)}.{kind}", endings)
                yield paths
            # Ctrl-C included: no half-written file may stay behind; the error goes on its way.
            except BaseException:
                for path in paths:
                    path.unlink(missing_ok=True)
                raise

    def _claim(self, stem: str, endings: Sequence[str]) -> list[Path]:
        for copy in range(1, MOST_COPIES):
            name = stem if copy == 1 else f"{stem}-{copy}"
            paths = [self.folder / f"{name}{ending}" for ending in endings]
            if any(path.exists() or path.is_symlink() for path in paths[1:]):
                continue
            try:
                paths[0].touch(exist_ok=False)
            except FileExistsError:
                continue
            return paths
        raise OutputError(f"The folder {self.folder} is full of results; choose another one.")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            why = error.strerror or error
            raise OutputError(
                f"Cannot write into the folder {str(self.folder)!r}: {why}. Choose another one."
            ) from error


def safe_stem(clip_name: str) -> str:
    """A clip's name as the beginning of a file's name that every system and shell takes."""
    stem = Path(clip_name).name
    stem = stem.rsplit(".", 1)[0] if "." in stem.strip(".") else stem
    safe = re.sub(r"[^\w\-]+", "_", stem).strip("_-")[:NAME_CHARACTERS]
    safe = safe.encode("utf-8", "ignore")[: 2 * NAME_CHARACTERS].decode("utf-8", "ignore")
    if not safe or RESERVED.match(safe):
        safe = f"clip_{safe}".rstrip("_")
    return safe


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """A file of numbers, readable and diffable."""
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
