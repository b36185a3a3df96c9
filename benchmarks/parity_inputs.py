"""What goes into a model: which frames, and how they become its input."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from einops import rearrange

from benchmarks.parity_fixtures import Comparison, Fixture, Json
from stam_core.types import Preprocessing
from stam_core.video import official_indices, preprocess
from stam_core.video.sample_spread import spread_indices

PIXELS = 1e-6


def compare_preprocessing(fixture: Fixture) -> Iterator[Comparison]:
    """Frames as displayed -> model input, as each family does it."""
    golden = fixture.tensors().tensors
    frames = golden["frames_u8"].numpy()
    side = int(fixture.facts["crop"])
    rules = {
        # the official test loader: zoom 0.875, so 256 before a crop of 224
        "stam": Preprocessing(resize_side=int(side / 0.875), side=side),
        "stam_squish": Preprocessing(resize_side=side, side=side, fit="squish"),
        "timesformer_crop1": Preprocessing(  # the middle one of three
            resize_side=side, side=side, mean=(0.45,) * 3, std=(0.225,) * 3, resampling="plain"
        ),
    }
    for output in sorted(golden.keys() - {"frames_u8"}):
        family = re.split(r"_crop\d|_squish", output)[0]
        if output in rules:
            x, _ = preprocess(frames, rules[output])
            layout = "t c y x -> t c y x" if family == "stam" else "t c y x -> c t y x"
            yield fixture.compare(family, output, rearrange(x, layout), golden[output], PIXELS)
        else:
            yield fixture.missing(family, output)


def compare_sampling(fixture: Fixture) -> Iterator[Comparison]:
    """Frame indices; a clip that the official loader drops must be dropped, not bent."""
    for family in ("stam", "timesformer"):
        for case in fixture.facts.get(family, {}).get("cases", []):
            n, fps = case["n_frames"], case["fps"]
            if family == "timesformer":
                yield compare_spread(fixture, case)
                continue
            length, rate = case["clip_len"], case["frame_rate"]
            ours = official_indices(n, fps, length, rate)
            output = f"{n} frames at {fps:g}, {length} at {rate:g}"
            golden = case["indices"]
            if ours is None or golden is None:
                agree = ours is golden
                error = f"{'dropped' if ours is None else 'kept'}, unlike by the official loader"
                yield Comparison(
                    fixture.name,
                    family,
                    output,
                    difference=0.0 if agree else None,
                    tolerance=0.0,
                    error="" if agree else error,
                )
            else:
                pair = torch.tensor(ours), torch.tensor(golden)
                yield fixture.compare(family, output, *pair, 0.0)


def compare_spread(fixture: Fixture, case: Json) -> Comparison:
    """One choice of frames by the rule of TimeSformer's authors."""
    sizes = case["n_frames"], case["fps"], case["num_frames"], case["sampling_rate"]
    view, n_views = case["clip_idx"], case["num_clips"]
    ours = spread_indices(*sizes, view=view, n_views=n_views)
    output = "{} frames at {:g}, {} one in {}".format(*sizes) + f", view {view} of {n_views}"
    pair = torch.tensor(ours), torch.tensor(case["indices"])
    return fixture.compare("timesformer", output, *pair, 0.0)
