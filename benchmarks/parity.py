"""Hold the project against golden numbers of the official codes.

    python benchmarks/parity.py DIR [--only stam] [--json]

DIR holds fixtures: NAME.json says what an official code was asked, NAME.safetensors (or the JSON
itself, for frame indices) what it answered. Everything here goes through the project's own models,
recording, rollout, preprocessing and sampling. Exit code 0: all within tolerance; 1: something is
not; 2: nothing could be compared.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.parity_timesformer import as_clips, timesformer_info, timesformer_outputs
from stam_core.errors import StamError, WeightsError
from stam_core.explain.rollout import rollout
from stam_core.models import build_model
from stam_core.models.checkpoint import Checkpoint, read_checkpoint
from stam_core.models.stam import Stam, StamConfig
from stam_core.models.timesformer import TimeSformer
from stam_core.models.weights import fill
from stam_core.record import record
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo
from stam_core.video import official_indices, preprocess
from stam_core.video.sample_spread import spread_indices

LOGITS = 2e-5  # fp32; reloading the official code itself moves them by 4e-6
MAPS = 1e-5
PIXELS = 1e-6
INPUTS = {"input", "input_resized"}  # of a fixture's io_keys; the others are answers

# The "model" of a fixture, by how it begins -> the family it belongs to.
FAMILIES = {
    "STAM": "stam",
    "TimeSformer": "timesformer",
    "HF Timesformer": "hf_timesformer",
    "Video Swin": "swin3d",
    "X3D": "x3d",
    "X-ViT": "xvit",
}
Json = dict[str, Any]  # parsed JSON: any value


@dataclass(frozen=True)
class Comparison:
    """One output of the project beside the official one."""

    fixture: str
    family: str
    output: str
    difference: float | None = None  # largest absolute one; None: there is none to state
    tolerance: float | None = None  # None: not implemented
    error: str = ""  # why there is no difference although there should be one

    @property
    def implemented(self) -> bool:
        """Whether anything was compared at all."""
        return self.tolerance is not None or bool(self.error)

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the project here."""
        if self.difference is None or self.tolerance is None:
            return not self.implemented
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        if not self.implemented:
            verdict = "not implemented"
        elif self.difference is None:
            verdict = f"BEYOND TOLERANCE: {self.error}"
        else:
            verdict = f"{self.difference:9.2e}  of {self.tolerance:.0e}"
            verdict += "" if self.ok else "  BEYOND TOLERANCE"
        return f"{self.fixture:22} {self.family:15} {self.output:34} {verdict}"


@dataclass(frozen=True)
class Fixture:
    """One question to an official code and its answers."""

    name: str
    facts: Json
    path: Path  # of the tensors; absent where the JSON holds everything

    @property
    def family(self) -> str:
        """Key of FAMILIES' values, or the fixture's own word for what it holds."""
        model: str = self.facts["model"]
        return next((ours for start, ours in FAMILIES.items() if model.startswith(start)), model)

    def tensors(self) -> Checkpoint:
        """The tensors, after the file's digest has been held against the JSON's."""
        checkpoint = read_checkpoint(self.path)
        stated = self.facts.get("sha256")
        if stated not in (None, checkpoint.sha256):
            raise WeightsError(
                f"{self.path.name} is not the file its JSON speaks of: other SHA-256."
            )
        return checkpoint

    def compare(
        self, family: str, output: str, ours: torch.Tensor, golden: torch.Tensor, tolerance: float
    ) -> Comparison:
        """The largest absolute difference, or why there is none."""
        difference, error = None, ""
        if ours.shape != golden.shape:
            error = f"shape {list(ours.shape)} instead of {list(golden.shape)}"
        elif not ours.isfinite().all():
            error = "not finite"
        else:
            difference = float((ours.double() - golden.double()).abs().max())
        return Comparison(self.name, family, output, difference, tolerance, error)

    def missing(self, family: str, output: str) -> Comparison:
        """What the project cannot do yet."""
        return Comparison(self.name, family, output)


def compare_stam(fixture: Fixture) -> Iterator[Comparison]:
    """Logits, embeddings, every attention map and both rollouts of a STAM."""
    golden = fixture.tensors().tensors
    state = {name: golden[name] for name in golden.keys() - set(fixture.facts["io_keys"])}
    info = stam_info(fixture)
    clips = rearrange(golden["input"], "(b t) c y x -> b t c y x", t=info.num_frames)
    yield from compare_outputs(fixture, dict(stam_outputs(fixture, info, state, clips)), golden)


def compare_outputs(
    fixture: Fixture, ours: dict[str, torch.Tensor], golden: dict[str, torch.Tensor]
) -> Iterator[Comparison]:
    """Every answer that the fixture names, and the logits that a recorded pass gave."""
    family = fixture.family
    for output in sorted(set(fixture.facts["io_keys"]) - INPUTS):
        if output in ours:
            tolerance = LOGITS if "logits" in output else MAPS
            yield fixture.compare(family, output, ours[output], golden[output], tolerance)
        else:
            yield fixture.missing(family, output)
    recorded = ours["logits while recording"]
    yield fixture.compare(family, "logits while recording", recorded, golden["logits"], LOGITS)


def compare_timesformer(fixture: Fixture) -> Iterator[Comparison]:
    """Logits, tokens and every attention map of a TimeSformer, under either of its key forms."""
    golden = fixture.tensors().tensors
    state = {name: golden[name] for name in golden.keys() - set(fixture.facts["io_keys"])}
    info = timesformer_info(fixture.name, fixture.facts)
    model = loaded(fixture, info, state)
    assert isinstance(model, TimeSformer)
    clips, resized = (
        as_clips(golden[name], fixture.facts) if name in golden else None
        for name in ("input", "input_resized")
    )
    assert clips is not None
    yield from compare_outputs(fixture, dict(timesformer_outputs(model, clips, resized)), golden)


def stam_outputs(
    fixture: Fixture, info: ModelInfo, state: dict[str, torch.Tensor], clips: torch.Tensor
) -> Iterator[tuple[str, torch.Tensor]]:
    """(name in the fixture, our answer) for clips [B,T,3,S,S]."""
    model = loaded(fixture, info, state)
    assert isinstance(model, Stam)
    v1 = {name: value for name, value in state.items() if not name.endswith("attn.qkv.bias")}
    with torch.no_grad():
        embeddings = model.embed_frames(clips)  # [B,T,D]
        yield "logits", model(clips)
        yield "inter.frame_cls", embeddings
        yield "inter.clip_embedding", model.embed_clip(embeddings)
        yield "inter.logits_mean_aggregate", model.head(embeddings.mean(dim=1))
        yield "inter.logits_without_qkv_bias", loaded(fixture, info, v1)(clips)
    traces = [record(model, clip, maps="full", patch_grid=info.patch_grid) for clip in clips]
    yield "logits while recording", torch.stack([trace.logits for trace in traces])
    kept = [trace.space_maps for trace in traces if trace.space_maps is not None]
    space = torch.cat(kept, dim=1)  # [L,B*T,H,N+1,N+1]
    time = torch.stack([trace.time_maps for trace in traces], dim=1)  # [L,B,H,T+1,T+1]
    yield from ((f"inter.attn_spatial.{layer}", maps) for layer, maps in enumerate(space))
    yield from ((f"inter.attn_temporal.{layer}", maps) for layer, maps in enumerate(time))
    yield "inter.rollout_spatial", rollout(space.mean(dim=2))
    yield "inter.rollout_temporal", rollout(time.mean(dim=2))


def stam_info(fixture: Fixture) -> ModelInfo:
    """The fixture's sizes as one of our models."""
    sizes, spatial, temporal = (fixture.facts[key] for key in ("config", "spatial", "temporal"))
    config = StamConfig(
        side=sizes["img_size"],
        patch_size=sizes["patch_size"],
        width=sizes["embed_dim"],
        depth=sizes["depth"],
        heads=sizes["num_heads"],
        mlp_ratio=float(spatial["mlp_ratio"]),
        num_frames=sizes["frames"],
        time_depth=sizes["temporal_layers"],
        time_heads=temporal["nhead"],
        time_feedforward=temporal["dim_feedforward"],
        num_classes=sizes["num_classes"],
    )
    return ModelInfo(
        name=fixture.name,
        title=fixture.name,
        family="stam",
        config=config,
        labels=tuple(map(str, range(config.num_classes))),
        num_frames=config.num_frames,
        preprocessing=Preprocessing(resize_side=config.side, side=config.side),
        sampling="official",
        official_fps=None,
        weights=WeightsInfo(source=fixture.path.name, licence="Apache-2.0", embedded=False),
        paper="2103.13915",
        summary="",
    )


def loaded(fixture: Fixture, info: ModelInfo, state: dict[str, torch.Tensor]) -> nn.Module:
    """The model with the official state loaded strictly, under the official names."""
    checkpoint = replace(fixture.tensors(), tensors=state)
    model: nn.Module = build_model(info)
    fill(model, info, checkpoint, source=fixture.path.name)
    return model


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


COMPARE: dict[str, Callable[[Fixture], Iterator[Comparison]]] = {
    "stam": compare_stam,
    "timesformer": compare_timesformer,
    "hf_timesformer": compare_timesformer,
    "preprocessing": compare_preprocessing,
    "frame sampling": compare_sampling,
}


def find_fixtures(folder: Path) -> list[Fixture]:
    """The fixtures in a folder, by name; empty where it holds none."""
    fixtures = []
    for path in sorted(folder.glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(facts, dict) and isinstance(facts.get("model"), str):
            fixtures.append(Fixture(path.stem, facts, path.with_suffix(".safetensors")))
    return fixtures


def compare_fixture(fixture: Fixture) -> list[Comparison]:
    """Every comparison that a fixture allows; one saying "not implemented" where none is."""
    if fixture.family not in COMPARE:
        return [fixture.missing(fixture.family, "all outputs")]
    try:
        return list(COMPARE[fixture.family](fixture))
    except (StamError, KeyError) as error:
        text = f"fixture lacks {error}" if isinstance(error, KeyError) else str(error)
        return [Comparison(fixture.name, fixture.family, "all outputs", error=text)]


def summary(comparisons: list[Comparison]) -> str:
    """How many of what, in a sentence."""
    compared = [entry for entry in comparisons if entry.implemented]
    beyond = sum(not entry.ok for entry in compared)
    missing = len(comparisons) - len(compared)
    return (
        f"{len(compared)} outputs compared, {beyond} beyond tolerance, {missing} not implemented."
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Hold the project against golden numbers.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of fixtures")
    parser.add_argument("--only", metavar="FAMILY", help="compare this family alone, such as stam")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # tiny models: more threads only wait for each other
    try:
        fixtures = find_fixtures(options.folder)
    except (OSError, ValueError) as error:
        print(f"A fixture in {options.folder} cannot be read: {error}.", file=sys.stderr)
        return 2
    comparisons = [entry for fixture in fixtures for entry in compare_fixture(fixture)]
    families = sorted({entry.family for entry in comparisons})
    if options.only:
        comparisons = [entry for entry in comparisons if entry.family == options.only]
    if not comparisons:
        found = f"it has: {', '.join(families)}" if families else "expected NAME.json files"
        what = f"no fixture of {options.only!r}" if options.only else "no fixture"
        print(f"There is {what} in {options.folder}; {found}.", file=sys.stderr)
        return 2
    if options.json:
        entries = [asdict(entry) | {"ok": entry.ok} for entry in comparisons]
        print(json.dumps({"torch": torch.__version__, "comparisons": entries}, indent=1))
    else:
        print(*comparisons, summary(comparisons), sep="\n")
    if not any(entry.implemented for entry in comparisons):
        return 2
    return 0 if all(entry.ok for entry in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
