"""What a camera and a codec do to finished frames: tone, noise, blur, compression, overlays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from stam_core.actions.codec import combed, compressed, frozen_blocks, softened

if TYPE_CHECKING:
    from numpy.typing import NDArray

Enlarging = Literal["bilinear", "box", "nearest"]
_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_KNEE = 0.8  # above it brightness is compressed rather than cut off
_EXPOSURES = (0.25, 0.65)  # between these a camera keeps the average brightness
_LEAST_PERSON = 0.33  # height share times resolution: about 42 pixels of a picture of 128
GREY_SHARE = 0.10  # of clips at full strength


@dataclass(frozen=True)
class Overlay:
    """A few characters or a logo that somebody put over the whole clip."""

    place: tuple[float, float]  # top left corner, shares of height and width
    letters: int
    pixel: int  # pixels per dot of a letter
    colour: tuple[int, int, int]
    box: bool  # on a dark box


@dataclass(frozen=True)
class Footage:
    """How a clip was filmed and stored; the defaults change nothing."""

    exposure: float = 0.0  # stops
    gamma: float = 1.0
    contrast: float = 1.0
    lift: float = 0.0  # how far black is from black, in [0,1]
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    tint: tuple[float, float, float] | None = None  # colour of white in a clip without colours
    vignette: float = 0.0  # share of the light lost in the corners
    drift: float = 0.0  # stops over the clip
    flicker: float = 0.0  # standard deviation from frame to frame, stops
    blur: float = 0.0  # pixels
    scale: float = 1.0  # resolution of the footage relative to the frames
    enlarging: Enlarging = "bilinear"
    luma_noise: float = 0.0  # standard deviation, in 0..255
    chroma_noise: float = 0.0
    grain: int = 1  # pixels of the footage a grain is wide
    quality: int | None = None  # of JPEG, None for none
    block_offset: tuple[int, int] = (0, 0)  # where the codec's blocks begin: frames are crops
    frozen: float = 0.0  # blocks that change less than this, in 0..255, are not sent again
    comb: int = 0  # pixels by which every other row of what moves is off
    bars: tuple[float, float] = (0.0, 0.0)  # black above and below, left and right; shares
    overlay: Overlay | None = None

    @classmethod
    def random(
        cls, rng: np.random.Generator, strength: float = 1.0, *, person: float = 1.0
    ) -> Footage:
        """What may have happened to one clip.

        Args:
            rng: settles everything random.
            strength: in [0,1]; 0 changes nothing, 1 is all that home and archive footage has.
            person: share of the picture's height that a standing person takes; who is far away is
                not filmed in low resolution too, or no limb could be told.
        """
        if strength <= 0.0:
            return cls()

        def happens(share: float) -> bool:
            return bool(rng.random() < share * strength)

        def around(spread: float) -> float:
            return float(np.clip(rng.normal(0.0, spread), -2.5 * spread, 2.5 * spread)) * strength

        grey = happens(GREY_SHARE)
        compressed = happens(0.5)
        noisy = happens(0.6)
        noise = float(rng.uniform(0.5, 3.0) if rng.random() < 0.75 else rng.uniform(3.0, 9.0))
        small = happens(0.3)
        least_scale = min(1.0, _LEAST_PERSON / person)
        return cls(
            exposure=around(0.22),
            gamma=float(np.exp(around(0.16))),
            contrast=float(np.exp(around(0.14))),
            lift=float(rng.uniform(0.0, 0.12)) * strength if happens(0.3) else 0.0,
            white_balance=_balance(rng, strength),
            saturation=float(np.clip(1.0 + around(0.3), 0.2, 1.7)) if happens(0.6) else 1.0,
            tint=_tint(rng) if grey else None,
            vignette=float(rng.uniform(0.05, 0.45)) * strength if happens(0.3) else 0.0,
            drift=around(0.2) if happens(0.3) else 0.0,
            flicker=float(rng.uniform(0.01, 0.1)) * strength if happens(0.25) else 0.0,
            blur=float(rng.uniform(0.3, 1.3)) * strength * min(1.0, person)
            if happens(0.2) and not small
            else 0.0,
            scale=max(least_scale, float(1.0 - strength * rng.uniform(0.05, 0.5)))
            if small
            else 1.0,
            enlarging=_enlarging(rng),
            luma_noise=noise * strength if noisy else 0.0,
            chroma_noise=noise * strength * float(rng.uniform(0.0, 0.6)) if noisy else 0.0,
            grain=int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])),
            quality=_quality(rng, small=small) if compressed else None,
            block_offset=(int(rng.integers(8)), int(rng.integers(8))),
            frozen=float(rng.uniform(1.0, 5.0)) if compressed and happens(0.25) else 0.0,
            comb=int(rng.integers(1, 3)) if happens(0.03) else 0,
            bars=_bars(rng) if happens(0.04) else (0.0, 0.0),
            overlay=_overlay(rng) if happens(0.06) else None,
        )


def _balance(rng: np.random.Generator, strength: float) -> tuple[float, float, float]:
    """Warm or cold, and a little green or magenta."""
    warm, green = np.clip(rng.normal(0.0, (0.07, 0.02)), -0.2, 0.2) * strength
    return float(np.exp(warm)), float(np.exp(green)), float(np.exp(-warm))


def _tint(rng: np.random.Generator) -> tuple[float, float, float]:
    """Mostly grey, now and then sepia or bluish."""
    if rng.random() < 0.8:
        return (1.0, 1.0, 1.0)
    return (1.06, 1.0, 0.82) if rng.random() < 0.7 else (0.92, 1.0, 1.08)


def _quality(rng: np.random.Generator, *, small: bool) -> int:
    """Of JPEG; a small picture is not compressed as hard as a large one can be."""
    least = 24.0 if small else float(rng.choice([8.0, 14.0], p=[0.15, 0.85]))
    return round(float(np.exp(rng.uniform(np.log(least), np.log(60.0)))))


def _enlarging(rng: np.random.Generator) -> Enlarging:
    methods: tuple[Enlarging, ...] = ("bilinear", "box", "nearest")
    return methods[int(rng.choice(3, p=[0.8, 0.1, 0.1]))]


def _bars(rng: np.random.Generator) -> tuple[float, float]:
    thick = float(rng.uniform(0.02, 0.11))
    return (thick, 0.0) if rng.random() < 0.7 else (0.0, thick)


def _overlay(rng: np.random.Generator) -> Overlay:
    bright = int(rng.integers(200, 256))
    return Overlay(
        place=(
            float(rng.choice([0.03, 0.9]) + rng.uniform(-0.02, 0.02)),
            float(rng.uniform(0, 0.7)),
        ),
        letters=int(rng.integers(2, 14)),
        pixel=int(rng.choice([1, 2], p=[0.75, 0.25])),
        colour=(bright, bright, bright if rng.random() < 0.7 else 40),
        box=bool(rng.random() < 0.4),
    )


def apply_footage(
    frames: NDArray[np.uint8], footage: Footage, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Film and store a clip.

    Args:
        frames: [T,H,W,3] RGB in 0..255.
        footage: what happens to it.
        rng: settles noise and flicker.

    Returns:
        [T,H,W,3]; the very same frames where `footage` changes nothing.
    """
    if footage == Footage():
        return frames
    height, width = frames.shape[1:3]
    small = (max(8, round(height * footage.scale)), max(8, round(width * footage.scale)))
    if footage.comb:
        frames = combed(frames, footage.comb)
    if footage.blur > 0.0 or small != (height, width):
        frames = softened(frames, footage.blur, small)
    frames = _developed(frames, footage, rng)
    if footage.quality is not None:
        frames = compressed(frames, footage.quality, footage.block_offset)
    if footage.frozen > 0.0:
        frames = frozen_blocks(frames, footage.frozen, footage.block_offset)
    if small != (height, width):
        method = _RESAMPLING[footage.enlarging]
        frames = np.stack(
            [np.asarray(Image.fromarray(f).resize((width, height), method)) for f in frames]
        )
    if footage.overlay is not None or any(footage.bars):
        frames = frames.copy()
        _lay_over(frames, footage, rng)
    return frames if frames.flags.writeable else frames.copy()


def _developed(
    frames: NDArray[np.uint8], footage: Footage, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Exposure, tone curve, white balance, vignette, colours and noise."""
    width = frames.shape[2]
    curves = _tone_curves(footage, frames, rng)  # [T,3,256]
    values = _through_curves(frames, curves, same=not (footage.drift or footage.flicker))
    mixing = _colour_matrix(footage)
    if mixing is not None:
        mixed = Image.fromarray(values.reshape(-1, width, 3)).convert("RGB", mixing)
        values = np.asarray(mixed).reshape(frames.shape)
    if footage.vignette == 0.0 and footage.luma_noise == 0.0:
        return values
    return _shaded_and_noisy(values, footage, rng)


def _through_curves(
    frames: NDArray[np.uint8], curves: NDArray[np.uint8], *, same: bool
) -> NDArray[np.uint8]:
    """Look values up in the curves [T,3,256]; frames that share theirs are one tall picture."""
    width = frames.shape[2]
    if same:  # far faster on a picture than on an array
        tall = Image.fromarray(frames.reshape(-1, width, 3)).point(curves[0].reshape(-1).tolist())
        return np.asarray(tall).reshape(frames.shape)
    index = frames + np.array([0, 256, 512], dtype=np.uint16)
    flat = curves.reshape(len(frames), -1)
    return np.stack([curve.take(frame) for curve, frame in zip(flat, index, strict=True)])


def _colour_matrix(footage: Footage) -> tuple[float, ...] | None:
    """Rows (red, green, blue, offset) of what saturation or a tint does to colours."""
    if footage.tint is not None:
        mixing = np.array(footage.tint)[:, None] * _LUMA
    elif footage.saturation != 1.0:
        mixing = footage.saturation * np.eye(3) + (1.0 - footage.saturation) * _LUMA
    else:
        return None
    return tuple(np.concatenate([mixing, np.zeros((3, 1))], axis=1).reshape(-1).tolist())


def _tone_curves(
    footage: Footage, frames: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """What the values 0..255 of each channel become in each frame, [T,3,256]."""
    count = len(frames)
    share = np.linspace(-0.5, 0.5, count)
    wavering = footage.drift * share + footage.flicker * rng.standard_normal(count)
    stops = _exposed(frames, footage.exposure) + wavering
    gains = np.exp2(stops)[:, None, None] * np.array(footage.white_balance)[:, None]  # [T,3,1]
    curves = gains * (np.arange(256) / 255.0) ** footage.gamma
    # Film and sensors do not clip hard: what would be lost in white is compressed.
    over = np.maximum(curves - _KNEE, 0.0)
    curves = np.minimum(curves, _KNEE) + over / (1.0 + 4.0 * np.maximum(gains - 1.0, 0.0) * over)
    curves = 0.45 + footage.contrast * (curves - 0.45)
    curves = footage.lift + (1.0 - footage.lift) * np.clip(curves, 0.0, 1.0)
    table: NDArray[np.uint8] = np.rint(255.0 * curves).astype(np.uint8)
    return table


def _exposed(frames: NDArray[np.uint8], stops: float) -> float:
    """How far a camera would go: none exposes so that the whole picture is white or black."""
    level = max(float(frames[:, ::4, ::4].mean()) / 255.0, 0.01)
    low, high = min(level, _EXPOSURES[0]), max(level, _EXPOSURES[1])
    return float(np.log2(np.clip(level * 2.0**stops, low, high) / level))


def _vignette(height: int, width: int, loss: float) -> NDArray[np.float32]:
    ys = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    xs = np.linspace(-1.0, 1.0, width, dtype=np.float32)
    light: NDArray[np.float32] = 1.0 - np.float32(0.5 * loss) * (xs**2 + ys**2)
    return light[..., None].repeat(3, axis=2)  # whole rows multiply several times faster


def _shaded_and_noisy(
    frames: NDArray[np.uint8], footage: Footage, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Vignette, and sensor noise or grain, stronger in the dark.

    Each frame takes its noise from a random place of one sheet: drawing fresh noise is slow.
    """
    count, height, width = frames.shape[:3]
    light = _vignette(height, width, footage.vignette) if footage.vignette > 0.0 else None
    sheet = _noise_sheet(height + 24, width + 24, footage, rng)
    filmed = np.empty_like(frames)
    for t, (top, left) in enumerate(rng.integers(0, 25, (count, 2)).tolist()):
        values = frames[t].astype(np.float32)
        if light is not None:
            values *= light
        if footage.luma_noise > 0.0:
            noise = values * np.float32(-0.7 / 255.0)
            noise += np.float32(1.25)
            noise *= sheet[top : top + height, left : left + width]
            values += noise
        np.minimum(np.maximum(values, 0.0, out=values), 255.0, out=values)
        filmed[t] = values
    return filmed


def _noise_sheet(
    height: int, width: int, footage: Footage, rng: np.random.Generator
) -> NDArray[np.float32]:
    """[H,W,3] noise; luma and chroma apart, grains as wide as asked for."""
    rows, columns = -(-height // footage.grain), -(-width // footage.grain)
    luma = footage.luma_noise * rng.standard_normal((rows, columns, 1), dtype=np.float32)
    chroma = footage.chroma_noise * rng.standard_normal((rows, columns, 3), dtype=np.float32)
    sheet: NDArray[np.float32] = luma + chroma
    if footage.grain == 1:
        return sheet
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(sheet, 2, 0)]
    method = Image.Resampling.BILINEAR
    return np.stack([np.asarray(p.resize((width, height), method)) for p in planes], axis=2)


def _lay_over(frames: NDArray[np.uint8], footage: Footage, rng: np.random.Generator) -> None:
    """Black bars, and something like a time or a name, in `frames`."""
    height, width = frames.shape[1:3]
    for axis, size in ((1, height), (2, width)):
        thick = round(footage.bars[axis - 1] * size)
        if thick:
            edges = (slice(0, thick), slice(size - thick, size))
            for edge in edges:
                frames[(slice(None),) * axis + (edge,)] = rng.integers(0, 16)
    if footage.overlay is None:
        return
    overlay = footage.overlay
    dots = rng.random((5, 4 * overlay.letters)) < 0.6
    dots[:, 3::4] = False  # the gap between letters
    dots = dots.repeat(overlay.pixel, axis=0).repeat(overlay.pixel, axis=1)
    top = min(round(overlay.place[0] * height), height - dots.shape[0] - 1)
    left = min(round(overlay.place[1] * width), width - 8)
    dots = dots[: height - max(top, 0), : width - left]
    area = frames[:, max(top, 0) : max(top, 0) + len(dots), left : left + dots.shape[1]]
    if overlay.box:
        area //= 4
    area[:, dots] = overlay.colour
