"""The names that published TimeSformer files give to their weights, and ours.

Ours are those of the released code (repository facebookresearch/TimeSformer, CC-BY-NC 4.0). Its
`.pyth` files put `model.` before each, and files trained on several GPUs `module.`; the library
transformers has names of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

_PREFIXES = ("module.", "model.")  # stripped, in this order, where every name begins so

# (Hugging Face, ours), tried in order; each is a beginning or an inner part of a name.
_PARTS = (
    ("timesformer.embeddings.cls_token", "cls_token"),
    ("timesformer.embeddings.position_embeddings", "pos_embed"),
    ("timesformer.embeddings.time_embeddings", "time_embed"),
    ("timesformer.embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("timesformer.encoder.layer.", "blocks."),
    ("timesformer.layernorm.", "norm."),
    ("classifier.", "head."),
    (".temporal_attention.attention.qkv.", ".temporal_attn.qkv."),
    (".temporal_attention.output.dense.", ".temporal_attn.proj."),
    (".temporal_layernorm.", ".temporal_norm1."),
    (".temporal_dense.", ".temporal_fc."),
    (".attention.attention.qkv.", ".attn.qkv."),
    (".attention.output.dense.", ".attn.proj."),
    (".layernorm_before.", ".norm1."),
    (".layernorm_after.", ".norm2."),
    (".intermediate.dense.", ".mlp.fc1."),
    (".output.dense.", ".mlp.fc2."),
)


def is_hugging_face(names: Mapping[str, object]) -> bool:
    """Whether these are the names that the library transformers gives."""
    return any(name.startswith("timesformer.") for name in names)


def our_name(hugging_face: str) -> str:
    """`timesformer.encoder.layer.0.temporal_dense.bias` -> `blocks.0.temporal_fc.bias`, ..."""
    name = hugging_face
    for theirs, ours in _PARTS:
        if theirs.startswith("."):
            name = name.replace(theirs, ours)
        elif name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name


def hugging_face_name(ours: str) -> str:
    """The inverse of `our_name`."""
    name = ours
    for theirs, mine in _PARTS:
        if mine.startswith("."):
            name = name.replace(mine, theirs)
        elif name.startswith(mine):
            name = theirs + name.removeprefix(mine)
    return name


def from_published(
    state: Mapping[str, torch.Tensor],
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Our names for the state of a published file, and notes on what was changed.

    Nothing is left out: a name that is not known stays as it is, to be reported by whoever fills
    the model.
    """
    renamed = dict(state)
    notes: tuple[str, ...] = ()
    for prefix in _PREFIXES:
        if renamed and all(name.startswith(prefix) for name in renamed):
            renamed = {name.removeprefix(prefix): tensor for name, tensor in renamed.items()}
            notes += (f"The prefix {prefix!r} was taken off every name.",)
    if is_hugging_face(renamed):
        renamed = {our_name(name): tensor for name, tensor in renamed.items()}
        notes += ("Names of the library transformers were translated.",)
    return renamed, notes


def to_hugging_face(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state under the names of the library transformers."""
    return {hugging_face_name(name): tensor for name, tensor in state.items()}
