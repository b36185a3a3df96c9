"""Train the embedded model from rendered clips, or fine-tune a model on a folder of one's own.

A label alone teaches a frame encoder this small nothing, so the spatial stage first learns where
the joints are:
every patch token says how much each joint is here (a softmax over patches), and CLS, which is all
that the temporal stage will see, says in which column and row each joint lies. Then the temporal
stage learns actions on stored frame embeddings, which is cheap, and a short run of both stages
together ends it. See docs/training.md and docs/fine-tuning.md.
"""

from __future__ import annotations

from stam_core.train.checkpoint import write_checkpoint
from stam_core.train.errors import TrainingError, TrainingStoppedError
from stam_core.train.finetune import FineTuned, fine_tune
from stam_core.train.finetune_options import FineTuneOptions
from stam_core.train.options import CONFIG, PREPROCESSING, TrainOptions
from stam_core.train.rendered import train

__all__ = [
    "CONFIG",
    "PREPROCESSING",
    "FineTuneOptions",
    "FineTuned",
    "TrainOptions",
    "TrainingError",
    "TrainingStoppedError",
    "fine_tune",
    "train",
    "write_checkpoint",
]
