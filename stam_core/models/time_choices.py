"""Very many choices of a clip's frames through one temporal stage, faster than one by one.

Exactly what `Stam.classify` computes on the chosen embeddings, with less work:

* In the first layer a token's query, key and value do not depend on what else was chosen. Its
  attention is a table looked up, thinned to what was chosen and normalised anew; one product takes
  it to the values, already projected.
* Of the last layer only CLS is read: one query, one feed-forward. Its keys and values are never
  formed; the query is carried through their weights instead.
* Attention over 17 tokens in 8 heads of 16 channels is too small for the fused kernel, which
  spends more time on starting than on multiplying; plain batched products take a third of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

if TYPE_CHECKING:
    from stam_core.models.stam import TemporalTransformer, TimeAttention, TimeLayer

# Frame tokens that pass together: their feed-forward's hidden layer (4 MB in the embedded model)
# stays in the processor's cache.
TOKENS_AT_ONCE = 2048
# exp(60) and the sum of many of them are far from float32's limit of exp(88).
_SAFE_SCORE = 60.0


@torch.no_grad()
def classify_choices(
    temporal: TemporalTransformer,
    head: nn.Module,
    embeddings: torch.Tensor,
    frames: torch.Tensor,
    places: torch.Tensor,
) -> torch.Tensor:
    """The answers for M choices of n of the same embeddings.

    Args:
        temporal: the temporal transformer, in eval mode.
        head: clip embedding [M,D] -> logits [M,K].
        embeddings: [V,D] what is chosen from.
        frames: [M,n] of 0..V-1; any n, 0 included.
        places: [M,n] slots 0..T-1 whose position embedding each chosen frame gets.

    Returns:
        Logits [M,K].
    """
    at_once = max(1, TOKENS_AT_ONCE // (frames.shape[1] + 1))
    parts = [
        head(temporal.norm(_clip_tokens(temporal, embeddings, some, at)))
        for some, at in zip(torch.split(frames, at_once), torch.split(places, at_once), strict=True)
    ]
    return torch.cat(parts)


def _clip_tokens(
    temporal: TemporalTransformer,
    embeddings: torch.Tensor,
    frames: torch.Tensor,
    places: torch.Tensor,
) -> torch.Tensor:
    """CLS after the last layer: frames [m,n] at places [m,n] -> [m,D]."""
    table, chosen = _distinct_tokens(temporal, embeddings, frames, places)
    tokens = table[chosen]  # [m,n+1,D]
    *layers, last = cast("list[TimeLayer]", list(temporal.layers))
    for i, layer in enumerate(layers):
        if i == 0:
            attended = _attend_by_table(layer.attn, _before(layer, table), chosen)
        else:
            attended = layer.attn.proj(_attend(layer.attn, layer.attn.qkv(_before(layer, tokens))))
        tokens = _after(layer, tokens, attended)
    attended = last.attn.proj(_attend_from_cls(last.attn, _before(last, tokens)))
    return _after(last, tokens[:, 0], attended)


def _distinct_tokens(
    temporal: TemporalTransformer,
    embeddings: torch.Tensor,
    frames: torch.Tensor,
    places: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """CLS and each frame at each place that is used [u,D], and where they stand [m,n+1]."""
    n_places = temporal.pos_embed.shape[1] - 1
    code = frames * n_places + places  # [m,n]
    used = torch.zeros(len(embeddings) * n_places, dtype=torch.bool, device=code.device)
    used[code.flatten()] = True
    row = used.cumsum(0)  # 1.. where used; row 0 is CLS
    at = used.nonzero()[:, 0]
    cls = temporal.cls_token[0] + temporal.pos_embed[0, :1]  # [1,D]
    placed = embeddings[at // n_places] + temporal.pos_embed[0, 1 + at % n_places]  # [u-1,D]
    return torch.cat([cls, placed]), F.pad(row[code], (1, 0))


def _before(layer: TimeLayer, tokens: torch.Tensor) -> torch.Tensor:
    normed: torch.Tensor = layer.norm1(tokens) if layer.pre_norm else tokens
    return normed


def _after(layer: TimeLayer, tokens: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """The rest of a layer after its attention [...,D], which is overwritten.

    As in `TimeLayer.forward`, but in place: fresh memory for each step costs a fifth of the time.
    """
    tokens = attended.add_(tokens)
    if layer.pre_norm:
        return _feed_forward(layer, layer.norm2(tokens)).add_(tokens)
    tokens = layer.norm1(tokens)
    normed: torch.Tensor = layer.norm2(_feed_forward(layer, tokens).add_(tokens))
    return normed


def _feed_forward(layer: TimeLayer, tokens: torch.Tensor) -> torch.Tensor:
    hidden: torch.Tensor = layer.linear1(tokens)
    hidden = hidden.relu_() if isinstance(layer.activation, nn.ReLU) else layer.activation(hidden)
    out: torch.Tensor = layer.linear2(hidden)
    return out


def _attend_by_table(
    attention: TimeAttention, table: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """Attention among chosen rows of a table [u,D]: chosen [m,n] -> projected [m,n,D].

    exp(score) of every pair of rows is known beforehand; a choice multiplies the keys' columns by
    how often each was chosen, and divides by the sum. That pays while the table is short.
    """
    heads, n_rows = attention.heads, len(table)
    qkv = attention.qkv(table)  # [u,3D]
    q, k, v = rearrange(qkv, "u (three h d) -> three h u d", three=3, h=heads)
    scores = q * attention.scale @ k.mT  # [h,u,u]
    shifted = scores - scores.amax(dim=-1, keepdim=True)
    if heads * n_rows > 2 * table.shape[1] or float(shifted.min()) < -_SAFE_SCORE:
        attended: torch.Tensor = attention.proj(_attend(attention, qkv[chosen]))
        return attended
    rows = rearrange(shifted.exp(), "h query key -> query h key").contiguous()
    counts = table.new_zeros(len(chosen), n_rows)
    counts.scatter_add_(1, chosen, table.new_ones(1, 1).expand(chosen.shape))
    weights = rows[chosen].mul_(counts[:, None, None])  # [m,n,h,u]
    weights.div_(weights.sum(dim=-1, keepdim=True))
    output = rearrange(attention.proj.weight, "e (h d) -> h d e", h=heads)
    projected = rearrange(v @ output, "h u e -> (h u) e")
    by_head = rearrange(weights, "m n h u -> m n (h u)")
    out: torch.Tensor = F.linear(by_head, projected.mT, attention.proj.bias)
    return out


def _attend(attention: TimeAttention, qkv: torch.Tensor) -> torch.Tensor:
    """[m,n,3D] -> mixed values [m,n,D]."""
    heads = attention.heads
    q, k, v = qkv.chunk(3, dim=-1)
    # copies: products of strided heads are far slower
    q = rearrange(q * attention.scale, "m n (h d) -> (m h) n d", h=heads)
    k = rearrange(k, "m n (h d) -> (m h) d n", h=heads)
    v = rearrange(v, "m n (h d) -> (m h) n d", h=heads)
    weights = _softmax(torch.bmm(q, k))  # [m*h,n,n]
    return rearrange(torch.bmm(weights, v), "(m h) n d -> m n (h d)", h=heads)


def _attend_from_cls(attention: TimeAttention, tokens: torch.Tensor) -> torch.Tensor:
    """What CLS (token 0) mixes: [m,n,D] -> [m,D].

    q (Wk x) = (q Wk) x, and the weighted sum of Wv x is Wv of the weighted sum. The keys' bias adds
    the same to every score of a query; the values' bias comes through whole, as weights sum to 1.
    """
    heads = attention.heads
    query, key, value = attention.qkv.weight.chunk(3)  # [D,D] each
    query_bias, _, value_bias = attention.qkv.bias.chunk(3)
    q = rearrange(F.linear(tokens[:, 0], query, query_bias), "m (h d) -> h m d", h=heads)
    asked = torch.bmm(q * attention.scale, rearrange(key, "(h d) e -> h d e", h=heads))  # [h,m,D]
    asked = rearrange(asked, "h m e -> m h e").contiguous()
    weights = _softmax(torch.bmm(asked, tokens.mT))  # [m,h,n]
    seen = rearrange(torch.bmm(weights, tokens), "m h e -> h m e")
    mixed = torch.bmm(seen, rearrange(value, "(h d) e -> h e d", h=heads))  # [h,m,d]
    return rearrange(mixed, "h m d -> m (h d)") + value_bias


def _softmax(scores: torch.Tensor) -> torch.Tensor:
    """Over the last axis; without the row maxima, slow over short rows, where none can overflow."""
    low, high = scores.aminmax()
    if max(-float(low), float(high)) > _SAFE_SCORE:
        return scores.softmax(dim=-1)
    weights = scores.exp_()
    return weights.div_(weights.sum(dim=-1, keepdim=True))
