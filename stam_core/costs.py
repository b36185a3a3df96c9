"""What each way of attending through space and time costs, as formulas.

Letters as everywhere: T frames, h w patch grid, N = h*w, D width, H heads, L layers, K classes; r
is how many times wider the feed-forward's hidden layer is. A pair is one query looking at one key.
In a layer of width D with n tokens and some pairs

    linear layers     n * (4 + 2r) * D*D   multiply-accumulates (queries, keys, values, output; MLP)
    attention         2 * pairs * D        (q.k, and the weighted sum of values)

Norms, biases, softmax and additions are left out, as in everybody's figures. Papers often call a
multiply-accumulate a FLOP; a counter of FLOPs states twice as many.

The linear layers of short clips cost more than all attention: at 16 frames of 224 pixels joint
attention needs 448e9, divided 390e9 and STAM 280e9 in its layers; at 64 frames 3966e9, 1572e9 and
1119e9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from stam_core.cost_records import Cost, Sizes, Step
from stam_core.errors import UnknownNameError

__all__ = ["SCHEMES", "Cost", "Scheme", "Sizes", "Step", "SwinSizes", "cost", "video_swin"]


@dataclass(frozen=True)
class Scheme:
    """A way of attending, for people."""

    title: str
    pairs: str  # of one layer and head, as TeX
    source: str
    count: Callable[[Sizes], Cost]


def cost(scheme: str, sizes: Sizes | None = None) -> Cost:
    """What a model of that scheme and those sizes costs.

    Args:
        scheme: A key of SCHEMES.
        sizes: None: ViT-B/16 on 16 frames. "windows" takes frames, side and classes alone.

    Raises:
        UnknownNameError: No such scheme.
    """
    if scheme not in SCHEMES:
        raise UnknownNameError("attention scheme", scheme, list(SCHEMES))
    return SCHEMES[scheme].count(sizes or Sizes())


def _attention_parameters(width: int) -> int:
    """Queries, keys, values and output with their biases, and the norm before them."""
    return 4 * width**2 + 4 * width + 2 * width


def _mlp_parameters(width: int, hidden: int) -> int:
    """Two linear layers with biases, and the norm before them."""
    return 2 * width * hidden + hidden + width + 2 * width


def _attend(
    name: str, sizes: Sizes, *, tokens: int, pairs: int, mlp_tokens: int = 0, extra: bool = False
) -> Step:
    """Attention of `tokens`, with an MLP where `mlp_tokens` pass one.

    `extra`: an attention beside a ViT's own, with a linear layer behind it, as in TimeSformer.
    """
    width, hidden = sizes.width, sizes.hidden
    linear = tokens * (5 if extra else 4) * width**2 + mlp_tokens * 2 * width * hidden
    parameters = _attention_parameters(width)
    if extra:
        parameters += width**2 + width
    if mlp_tokens:
        parameters += _mlp_parameters(width, hidden)
    return Step(name, sizes.depth, pairs, width, sizes.heads, linear, parameters)


def _vit(
    scheme: str, sizes: Sizes, keys: int, steps: tuple[Step, ...], *, frame_positions: int = 0
) -> Cost:
    """Embedding, CLS, positions, last norm and classifier of a ViT around the steps."""
    width, pixels = sizes.width, 3 * sizes.patch**2
    positions = sizes.patches + 1 + frame_positions
    return Cost(
        scheme=scheme,
        keys_per_query=keys,
        steps=steps,
        embedding=sizes.frames * sizes.patches * pixels * width,
        head=width * sizes.classes,
        other_parameters=pixels * width
        + width  # the embedding's bias
        + width  # CLS
        + positions * width
        + 2 * width  # last norm
        + (width + 1) * sizes.classes,
    )


def _within_frames(sizes: Sizes, name: str = "within each frame") -> Step:
    """A ViT's layer on every frame by itself."""
    tokens = sizes.frames * (sizes.patches + 1)
    pairs = sizes.frames * (sizes.patches + 1) ** 2
    return _attend(name, sizes, tokens=tokens, pairs=pairs, mlp_tokens=tokens)


def _space(sizes: Sizes) -> Cost:
    return _vit("space", sizes, sizes.patches + 1, (_within_frames(sizes),))


def _joint(sizes: Sizes) -> Cost:
    tokens = sizes.frames * sizes.patches + 1
    step = _attend("all patches", sizes, tokens=tokens, pairs=tokens**2, mlp_tokens=tokens)
    return _vit("joint", sizes, tokens, (step,), frame_positions=sizes.frames)


def _divided(sizes: Sizes) -> Cost:
    t, n = sizes.frames, sizes.patches
    time = _attend("same place, all frames", sizes, tokens=t * n, pairs=n * t * t, extra=True)
    space = _attend(
        "within each frame",
        sizes,
        tokens=t * (n + 1),  # each frame holds a copy of CLS
        pairs=t * (n + 1) ** 2,
        mlp_tokens=t * n + 1,
    )
    return _vit("divided", sizes, t + n + 1, (time, space), frame_positions=t)


def _sparse(sizes: Sizes) -> Cost:
    t, n = sizes.frames, sizes.patches
    half = math.ceil(sizes.grid / 2)
    near = t * half**2 + 1  # a quarter of the picture around, in all frames; fewer at the border
    far = math.ceil(t / 2) * half**2 + 1  # every second frame, row and column
    local = _attend("neighbourhood", sizes, tokens=t * n, pairs=t * n * near, extra=True)
    wide = _attend(
        "every second one",
        sizes,
        tokens=t * n + 1,
        pairs=(t * n + 1) * far,
        mlp_tokens=t * n + 1,
    )
    return _vit("sparse", sizes, near + far, (local, wide), frame_positions=t)


def _axial(sizes: Sizes) -> Cost:
    t, n, g = sizes.frames, sizes.patches, sizes.grid
    time = _attend("same place, all frames", sizes, tokens=t * n, pairs=n * t * t, extra=True)
    lines = t * g  # of a frame's rows, or of its columns; each holds a copy of CLS
    tokens, pairs = lines * (g + 1), lines * (g + 1) ** 2
    row = _attend("same row", sizes, tokens=tokens, pairs=pairs, extra=True)
    column = _attend("same column", sizes, tokens=tokens, pairs=pairs, mlp_tokens=t * n + 1)
    return _vit("axial", sizes, t + 2 * (g + 1), (time, row, column), frame_positions=t)


def _factorised(sizes: Sizes) -> Cost:
    width, tokens = sizes.width, sizes.frames + 1
    time = Step(
        "frame embeddings",
        sizes.time_depth,
        tokens**2,
        width,
        sizes.time_heads,
        tokens * (4 * width**2 + 2 * width * sizes.time_hidden),
        _attention_parameters(width) + _mlp_parameters(width, sizes.time_hidden),
    )
    whole = _vit("factorised", sizes, sizes.patches + 1, (_within_frames(sizes), time))
    stage = width + (sizes.frames + 1) * width + 2 * width  # CLS, positions, last norm
    return replace(whole, other_parameters=whole.other_parameters + stage)


def _mixing(sizes: Sizes) -> Cost:
    width, tokens = sizes.width, sizes.frames + 1
    hidden = sizes.hidden
    time = Step(
        "frame embeddings",
        1,
        tokens**2,
        width,
        sizes.heads,
        tokens * (4 * width**2 + 2 * width * hidden),
        _attention_parameters(width) - 3 * width + _mlp_parameters(width, hidden),  # no qkv bias
    )
    steps = (_within_frames(sizes, "within each frame, some channels from its neighbours"), time)
    whole = _vit("mixing", sizes, sizes.patches + 1, steps, frame_positions=8)
    # In time a CLS of its own; before the classifier a norm and a linear layer.
    stage = width + 2 * width + width**2 + width
    return replace(
        whole,
        head=whole.head + width**2,
        other_parameters=whole.other_parameters + stage,
    )


@dataclass(frozen=True)
class SwinSizes:
    """A Video Swin; the defaults are those of its base model."""

    width: int = 128  # channels of the first stage, doubled in each next one
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    window: tuple[int, int] = (8, 7)  # frames' tokens, tokens along a side
    patch: tuple[int, int] = (2, 4)  # frames, pixels


def video_swin(frames: int, side: int, classes: int = 400, swin: SwinSizes | None = None) -> Cost:
    """What a Video Swin costs: attention within windows, four stages ever coarser and wider.

    Args:
        frames: T.
        side: S, pixels; filled up to whole patches and windows, which is counted as the model does.
        classes: K.
        swin: None: the base model.
    """
    swin = swin or SwinSizes()
    t = math.ceil(frames / swin.patch[0])
    g = math.ceil(side / swin.patch[1])
    pixels = 3 * swin.patch[0] * swin.patch[1] ** 2
    embedding = t * g * g * pixels * swin.width
    table = (2 * swin.window[0] - 1) * (2 * swin.window[1] - 1) ** 2  # relative positions
    steps: list[Step] = []
    for stage, (depth, heads) in enumerate(zip(swin.depths, swin.heads, strict=True)):
        width = swin.width * 2**stage
        if stage:
            g = math.ceil(g / 2)
            merge = 8 * (width // 2) ** 2  # four neighbours' channels to twice the width, no bias
            steps.append(
                Step("merging", 1, 0, width, 0, t * g * g * merge, merge + 8 * (width // 2))
            )
        across, along = min(swin.window[0], t), min(swin.window[1], g)
        padded = math.ceil(t / across) * across * (math.ceil(g / along) * along) ** 2
        parameters = _attention_parameters(width) + _mlp_parameters(width, 4 * width)
        steps.append(
            Step(
                f"windows, stage {stage + 1}",
                depth,
                padded * across * along**2,
                width,
                heads,
                padded * 4 * width**2 + t * g * g * 8 * width**2,
                parameters + table * heads,
            )
        )
    first = (pixels + 1) * swin.width + 2 * swin.width  # embedding with its norm
    last = 2 * width + (width + 1) * classes
    keys = min(swin.window[0], t) * min(swin.window[1], math.ceil(side / swin.patch[1])) ** 2
    return Cost("windows", keys, tuple(steps), embedding, width * classes, first + last)


def _windows(sizes: Sizes) -> Cost:
    return video_swin(sizes.frames, sizes.side, sizes.classes)


_TIMESFORMER = "Bertasius et al., arXiv 2102.05095"

SCHEMES: dict[str, Scheme] = {
    "space": Scheme("Space only", r"T (N+1)^2", _TIMESFORMER, _space),
    "joint": Scheme("Joint space-time", r"(TN+1)^2", _TIMESFORMER, _joint),
    "divided": Scheme(
        "Divided space-time", r"N T^2 + T (N+1)^2", f"{_TIMESFORMER}, as its code does it", _divided
    ),
    "sparse": Scheme(
        "Sparse local and global",
        r"TN \left(\tfrac{TN}{4}+1\right) + (TN+1) \left(\tfrac{TN}{8}+1\right)",
        f"{_TIMESFORMER}, section 3; code unpublished, border not deducted",
        _sparse,
    ),
    "axial": Scheme(
        "Axial",
        r"N T^2 + T h (w+1)^2 + T w (h+1)^2",
        f"{_TIMESFORMER}, section 3; code unpublished, CLS treated as in divided attention",
        _axial,
    ),
    "factorised": Scheme(
        "Factorised (STAM)",
        r"T (N+1)^2,\; \text{then}\; (T+1)^2",
        "Sharir et al., arXiv 2103.13915",
        _factorised,
    ),
    "mixing": Scheme(
        "Space-time mixing (X-ViT)",
        r"T (N+1)^2,\; \text{then}\; (T+1)^2",
        "Bulat et al., arXiv 2106.05968, as its code does it",
        _mixing,
    ),
    "windows": Scheme(
        "Windows (Video Swin)",
        r"T' h' w' \cdot 8 \cdot 7 \cdot 7",
        "Liu et al., arXiv 2106.13230; sizes of the base model, coarser and wider by stage",
        _windows,
    ),
}
