"""Records -> what the strip of frames draws, as JSON: one picture, small grids, numbers.

The page in the browser and the offline report draw with the same scripts (`strip/`) from this.
"""

from __future__ import annotations

import base64
import io
import math
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from cachetools import LRUCache, cached
from PIL import Image

from stam_core.render.colour import COLOUR_MAPS, lut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stam_core.types import Clip, CropBox, Explanation

SPRITE_BYTES = 150_000  # at most, for the picture of all frames; a third more in base64
SPRITE_PIXELS = 2_000_000  # at most: 16 frames of 256 x 455 are 1.9 million
LONGEST_SIDE = 640  # pixels of one frame; very wide and very tall clips
SPRITE_TRIES = 4
JPEG_QUALITY = 60
SHARE_TOLERANCE = 1e-3  # scores that sum to 1 within this are shares

UNATTRIBUTED = (
    "{title}: {share} stays on the CLS token and is shown on no frame or patch (unattributed)."
)
IN_THE_MAP = "heat map"
IN_THE_BARS = "bars"
EQUAL_SHARE = (
    "The small mark on each bar is the equal share: where every bar would end if no frame stood"
    " out."
)
CROP_NOTE = "Outside the outlined square the model saw nothing."
FACT_SIZE = "{width} × {height} px"
FACT_FPS = "{fps:g} frames/s"
FACT_SECONDS = "{seconds:.1f} s"
FACT_COUNTED = "{count} of {total} frames used"
FACT_ESTIMATED = "{count} of about {total} frames used"
FOR_CLASS = "{title}, for “{label}”"
FOR_CLASS_AGAINST = "{title}, for “{label}” rather than “{foil}”"

Json = dict[str, Any]  # Any: JSON values nest without end


@cache
def palettes() -> dict[str, str]:
    """Each colour map's 256 RGB triples in base64, for the page."""
    return {name: _base64(lut(name).tobytes()) for name in COLOUR_MAPS}


def clip_payload(clip: Clip, crop: CropBox, name: str) -> Json:
    """What the strip needs once per clip.

    Args:
        clip: the frames as displayed.
        crop: the part of them the model saw.
        name: what to call the clip; untrusted, shown as text only.
    """
    picture, columns, tile = frames_picture(clip)
    cropped = [CROP_NOTE] if crop.width * crop.height < 1 - 1e-6 else []
    return {
        "key": clip.digest,
        "palettes": palettes(),
        "sprite": picture,
        "columns": columns,
        "tile": list(tile),
        "frames": [
            {"index": int(index), "seconds": round(float(seconds), 4)}
            for index, seconds in zip(clip.frame_indices, clip.seconds, strict=True)
        ],
        "crop": {
            "left": crop.left,
            "top": crop.top,
            "width": crop.width,
            "height": crop.height,
        },
        "facts": [name, *clip_facts(clip), *cropped],
        "notes": list(clip.notes),
    }


def clip_facts(clip: Clip) -> list[str]:
    """Size, rate, length and frames used, each in a few words."""
    info = clip.info
    counted = FACT_COUNTED if info.n_frames_counted else FACT_ESTIMATED
    used = len(set(clip.frame_indices.tolist()))
    return [
        FACT_SIZE.format(width=info.width, height=info.height),
        FACT_FPS.format(fps=round(info.fps, 2)),
        FACT_SECONDS.format(seconds=info.duration_seconds),
        counted.format(count=used, total=info.n_frames),
    ]


def scores_payload(
    clip: Clip,
    heat: Explanation | None,
    bars: Explanation | None,
    titles: Mapping[str, str],
    labels: Sequence[str] = (),
) -> Json:
    """What the strip needs on every change of method: the grids, the bars, and how to read them.

    Args:
        clip: the clip the scores belong to.
        heat: an explanation with patches.
        bars: an explanation with frames.
        titles: the methods' titles by name.
        labels: the model's classes, where scores speak about one; untrusted, shown as text only.
    """
    reading = _unattributed(heat, bars, titles)
    shown_bars = bars_payload(bars, titles, labels) if bars is not None else None
    if shown_bars is not None and shown_bars["equal"] is not None:
        reading.append(EQUAL_SHARE)
    return {
        "key": clip.digest,
        "heat": heat_payload(heat, titles, labels) if heat is not None else None,
        "bars": shown_bars,
        "reading": reading,
    }


def heat_payload(
    explanation: Explanation, titles: Mapping[str, str], labels: Sequence[str] = ()
) -> Json:
    """Patches [T,h,w] as one byte each, between every frame's own lowest and highest score.

    A range per frame keeps weak frames exact to 1/255 of it too; the page decides on the scale.
    """
    assert explanation.patches is not None  # the caller chose a method that gives patches
    patches = explanation.patches.astype(np.float64)  # [T,h,w]
    low = patches.min(axis=(1, 2))  # [T]
    high = patches.max(axis=(1, 2))  # [T]
    gain = np.where(high > low, high - low, 1.0)
    levels = np.rint(255 * (patches - low[:, None, None]) / gain[:, None, None]).astype(np.uint8)
    return {
        "grid": list(patches.shape[1:]),
        "data": _base64(levels.tobytes()),
        "low": low.tolist(),
        "high": high.tolist(),
        "signed": explanation.signed,
        "share": is_share(explanation),
        "title": method_title(explanation, titles, labels),
    }


def bars_payload(
    explanation: Explanation, titles: Mapping[str, str], labels: Sequence[str] = ()
) -> Json:
    """One number per frame, and the equal share where the numbers are shares."""
    assert explanation.frames is not None  # the caller chose a method that gives frames
    values = explanation.frames.astype(np.float64)
    share = is_share(explanation)
    return {
        "values": values.tolist(),
        "signed": explanation.signed,
        "share": share,
        "equal": float(values.mean()) if share else None,
        "title": method_title(explanation, titles, labels),
    }


def method_title(
    explanation: Explanation, titles: Mapping[str, str], labels: Sequence[str] = ()
) -> str:
    """The method's title, with the class that the scores speak about where there is one."""
    title = titles[explanation.method]
    if explanation.target is None or not labels:
        return title
    label = labels[explanation.target]
    if explanation.foil is None:
        return FOR_CLASS.format(title=title, label=label)
    return FOR_CLASS_AGAINST.format(title=title, label=label, foil=labels[explanation.foil])


def is_share(explanation: Explanation) -> bool:
    """Whether the scores are parts of a whole: unsigned and summing to 1 at most.

    Scores about a class are effects in its units, unless they state what part is left over.
    """
    about_a_class = explanation.target is not None and explanation.unattributed is None
    if explanation.signed or about_a_class:
        return False
    patches, frames = explanation.patches, explanation.frames
    sums = patches.sum(axis=(1, 2)) if patches is not None else frames
    return sums is not None and bool((sums <= 1 + SHARE_TOLERANCE).all())


# By digest: a key that were the clip itself would keep up to 22 MB of frames alive.
@cached(LRUCache(maxsize=16), key=lambda clip: clip.digest, lock=threading.Lock())
def frames_picture(clip: Clip) -> tuple[str, int, tuple[int, int]]:
    """All frames side by side in one picture.

    Returns:
        The picture as a data address, the frames per row, one frame's (width, height) in pixels.
    """
    count, height, width = clip.frames.shape[:3]
    scale = min(
        1.0, math.sqrt(SPRITE_PIXELS / (count * height * width)), LONGEST_SIDE / max(height, width)
    )
    columns = math.ceil(math.sqrt(count))
    for _ in range(SPRITE_TRIES):
        tile = max(1, round(width * scale)), max(1, round(height * scale))
        data = _jpeg(_sheet(clip.frames, columns, tile))
        if len(data) <= SPRITE_BYTES:
            break
        # Bytes grow about as the number of pixels does.
        scale *= 0.95 * math.sqrt(SPRITE_BYTES / len(data))
    return _data_address(data), columns, tile


def _sheet(frames: NDArray[np.uint8], columns: int, tile: tuple[int, int]) -> Image.Image:
    """Frames [T,H,W,3], row by row, each resized to `tile` (width, height)."""
    rows = math.ceil(len(frames) / columns)
    sheet = Image.new("RGB", (columns * tile[0], rows * tile[1]))
    for position, frame in enumerate(frames):
        row, column = divmod(position, columns)
        sheet.paste(_resized(frame, tile), (column * tile[0], row * tile[1]))
    return sheet


def thumbnail(frame: NDArray[np.uint8], width: int = 160) -> str:
    """One frame [H,W,3] as a small picture's data address."""
    height = max(1, round(frame.shape[0] * width / frame.shape[1]))
    return _data_address(_jpeg(_resized(frame, (width, height))))


def _resized(frame: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(frame)
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _data_address(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{_base64(jpeg)}"


def _unattributed(
    heat: Explanation | None, bars: Explanation | None, titles: Mapping[str, str]
) -> list[str]:
    """What stays on no frame or patch, once for each method and share.

    Map and bars may come from one method with different parameters: then both shares are told.
    """
    shares = [
        (entry.method, place, f"{100 * entry.unattributed:.1f} %")
        for entry, place in ((heat, IN_THE_MAP), (bars, IN_THE_BARS))
        if entry is not None and entry.unattributed is not None
    ]
    methods = {method for method, _, _ in shares}
    if len(methods) < len({(method, share) for method, _, share in shares}):
        told = [(f"{titles[method]} ({place})", share) for method, place, share in shares]
    else:
        told = list(dict.fromkeys((titles[method], share) for method, _, share in shares))
    return [UNATTRIBUTED.format(title=title, share=share) for title, share in told]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
