"""Where fine-tuning starts: the embedded model, a timm image backbone, or a checkpoint file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import timm
import torch
from timm.data.config import resolve_data_config
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from stam_core.models import LoadedModel, load_model, model_info
from stam_core.models.checkpoint import read_checkpoint
from stam_core.models.described import is_described
from stam_core.models.stam import Stam, StamConfig
from stam_core.models.stam_official import is_official, our_name
from stam_core.models.weights import fill
from stam_core.train.errors import TrainingError
from stam_core.train.finetune_options import FineTuneOptions
from stam_core.types import ModelInfo, Preprocessing

STARTS = (
    "Start from 'embedded', from 'timm:NAME' (a ViT image model of timm's), from 'official:FILE' "
    "(a published STAM checkpoint), or from a checkpoint file that this program wrote."
)


def start_model(options: FineTuneOptions) -> tuple[Stam, Preprocessing]:
    """The model to fine-tune, on the CPU, with the head it came with.

    Args:
        options: `start` and what belongs to it.

    Raises:
        StamError: there is no such start, or it cannot be made into a STAM.
    """
    kind, _, rest = options.start.partition(":")
    if kind == "timm" and rest:
        return _from_timm(rest, options)
    info, stam = _from_checkpoint(options, kind, rest)
    return stam, info.preprocessing


def replace_head(stam: Stam, num_classes: int) -> None:
    """Give the model a fresh head for other classes; the old one says nothing about them."""
    stam.config = replace(stam.config, num_classes=num_classes)
    stam.head = nn.Linear(stam.config.width, num_classes)
    nn.init.trunc_normal_(stam.head.weight, std=0.02)
    nn.init.zeros_(stam.head.bias)


def _from_checkpoint(options: FineTuneOptions, kind: str, rest: str) -> tuple[ModelInfo, Stam]:
    if options.start == "embedded":
        loaded = load_model("stam-actions")
    elif kind == "official" and rest:
        loaded = _load_official(Path(rest))
    elif Path(options.start).is_file():
        path = Path(options.start)
        described = is_described(read_checkpoint(path).metadata)
        loaded = load_model(str(path)) if described else _load_official(path)
    else:
        raise TrainingError(f"There is no start {options.start[:200]!r}. {STARTS}")
    if not isinstance(loaded.model, Stam):
        raise TrainingError(f"{loaded.info.name} is no STAM. {STARTS}")
    return loaded.info, loaded.model


def _load_official(path: Path) -> LoadedModel:
    """A published STAM, of any number of frames and classes."""
    checkpoint = read_checkpoint(path)
    state = {our_name(name): tensor for name, tensor in checkpoint.tensors.items()}
    positions, head = state.get("temporal.pos_embed"), state.get("head.weight")
    if not is_official(checkpoint.tensors) or positions is None or head is None:
        raise TrainingError(f"{path.name!r} is no published STAM checkpoint. {STARTS}")
    num_frames, num_classes = positions.shape[1] - 1, head.shape[0]
    known = model_info("stam-16")
    info = replace(
        known,
        name=path.stem,
        config=replace(
            cast("StamConfig", known.config), num_frames=num_frames, num_classes=num_classes
        ),
        labels=tuple(f"class {k}" for k in range(num_classes)),
        num_frames=num_frames,
    )
    with torch.device("meta"):
        model = Stam(info.config)
    report = fill(model, info, checkpoint, source=path.name)
    return LoadedModel(model=model, info=info, report=report)


def _from_timm(name: str, options: FineTuneOptions) -> tuple[Stam, Preprocessing]:
    """A timm ViT as the spatial stage, with a fresh temporal one.

    Raises:
        TrainingError: timm knows no such model, it is no plain ViT, or its weights do not fit.
    """
    backbone = _timm_backbone(name, options)
    config = _config_of(backbone, name, options)
    stam = Stam(config)
    wanted = {key: value.shape for key, value in stam.spatial.state_dict().items()}
    given = {
        key: value for key, value in backbone.state_dict().items() if not key.startswith("head.")
    }
    shapes = {key: value.shape for key, value in given.items()}
    odd = sorted(key for key in wanted.keys() | shapes if wanted.get(key) != shapes.get(key))
    if odd:
        raise TrainingError(
            f"The timm model {name!r} is no plain ViT with a class token: "
            f"{', '.join(odd[:4])} do not fit. Take one such as timm:vit_small_patch16_224."
        )
    stam.spatial.load_state_dict(given)
    told = resolve_data_config(model=backbone)  # type: ignore[no-untyped-call]
    resize_side = round(config.side / float(told["crop_pct"]))
    mean, std = tuple(told["mean"]), tuple(told["std"])
    return stam, Preprocessing(resize_side=resize_side, side=config.side, mean=mean, std=std)


def _timm_backbone(name: str, options: FineTuneOptions) -> VisionTransformer:
    if options.start_weights is None and not options.download:
        raise TrainingError(
            f"The weights of the timm model {name!r} are needed: add --download to fetch them, "
            "or give a local file with --start-weights."
        )
    weights = str(options.start_weights or "")
    try:
        backbone = timm.create_model(
            name, pretrained=options.start_weights is None, checkpoint_path=weights
        )
    # timm, its download and its checkpoint reader raise whatever they meet.
    except Exception as error:
        raise TrainingError(
            f"The timm model {name[:200]!r} cannot be made ({str(error).splitlines()[0][:200]}). "
            "Check its name with timm.list_models('vit*'), and the file or the connection."
        ) from error
    if not isinstance(backbone, VisionTransformer):
        raise TrainingError(
            f"The timm model {name!r} is no ViT. Take one such as timm:vit_small_patch16_224."
        )
    return backbone


def _config_of(backbone: VisionTransformer, name: str, options: FineTuneOptions) -> StamConfig:
    block = backbone.blocks[0]
    height, width = backbone.patch_embed.img_size or (0, 0)
    patch = backbone.patch_embed.patch_size
    plain = isinstance(block.get_submodule("mlp.act"), nn.GELU) and backbone.num_prefix_tokens == 1
    if not plain or height != width or patch[0] != patch[1]:
        raise TrainingError(
            f"The timm model {name!r} is no plain ViT with square pictures and one class token. "
            "Take one such as timm:vit_small_patch16_224."
        )
    dim = backbone.embed_dim
    attention = block.get_submodule("attn")
    hidden = cast("nn.Linear", block.get_submodule("mlp.fc1")).out_features
    return StamConfig(
        side=height,
        patch_size=patch[0],
        width=dim,
        depth=len(backbone.blocks),
        heads=cast("int", attention.num_heads),
        mlp_ratio=hidden / dim,
        qkv_bias=cast("nn.Linear", attention.get_submodule("qkv")).bias is not None,
        num_frames=options.num_frames or 16,
        time_depth=options.time_depth,
        time_heads=next(heads for heads in (8, 6, 4, 3, 2, 1) if dim % heads == 0),
        time_feedforward=4 * dim,
        time_norm="pre",  # trains from scratch without the care that "post" needs
        time_activation="gelu",
        num_classes=2,
    )


@torch.no_grad()
def take_weights(path: Path, model: nn.Module) -> None:
    """Begin with what was learned before, as the models of the papers begin with a picture ViT.

    Args:
        path: checkpoint of a STAM or a TimeSformer.
        model: a STAM, which gets all of them; or a TimeSformer, whose names of what it has in
            common with a STAM's spatial stage are the same. Every weight taken must fit; others
            stay as they are.

    Raises:
        StamError: the file cannot be read, or holds no weights of these sizes.
    """
    tensors = read_checkpoint(path).tensors
    own = model.state_dict()
    staged = [any(name.startswith("spatial.") for name in names) for names in (tensors, own)]
    prefix = "spatial." if staged == [True, False] else ""
    given = {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    odd = sorted(name for name in given if name not in own or own[name].shape != given[name].shape)
    if odd:
        raise TrainingError(
            f"The weights of {path.name!r} do not fit this model: {', '.join(odd[:4])}. "
            "Take a checkpoint that `train` made of rendered clips, or leave out --begin-with."
        )
    model.load_state_dict(given, strict=False)
