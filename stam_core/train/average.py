"""The moving average of the weights, which is what is evaluated and shipped."""

from __future__ import annotations

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import nn


class WeightAverage:
    """An exponential moving average of a stage's weights; early on it forgets faster."""

    def __init__(self, modules: nn.Module, decay: float) -> None:
        """`decay` in [0,1): share of the old average kept per step, once warm; 0 turns it off."""
        self._average = ModelEmaV3(modules, decay=decay, use_warmup=True) if decay else None

    def update(self, modules: nn.Module, step: int) -> None:
        """Take in the weights after `step` steps."""
        if self._average is not None:
            self._average.update(modules, step)

    @torch.no_grad()
    def put_into(self, modules: nn.Module) -> None:
        """Replace the weights by their average, in place: views of them see it too."""
        if self._average is not None:
            modules.load_state_dict(self._average.module.state_dict())

    def state(self) -> dict[str, torch.Tensor] | None:
        """What to store; None where there is no average."""
        return None if self._average is None else self._average.module.state_dict()

    def restore(self, state: dict[str, torch.Tensor] | None) -> None:
        """Go on from a stored average."""
        if self._average is not None and state is not None:
            self._average.module.load_state_dict(state)
