"""Everything that is decided before the first clip is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stam_core.evaluate.settings import Settings, cores, default_workers

if TYPE_CHECKING:
    import torch

    from stam_core.evaluate.distributed import Ranks
    from stam_core.evaluate.lists import ClipList
    from stam_core.evaluate.protocol import Protocol
    from stam_core.models import LoadedModel


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be done, and by what."""

    loaded: LoadedModel
    protocol: Protocol
    listed: ClipList
    settings: Settings
    device: torch.device
    dtype: torch.dtype
    batch: int
    ranks: Ranks

    @property
    def header(self) -> dict[str, object]:
        """What a journal must have been begun with to be gone on with."""
        return {
            "model": self.loaded.info.name,
            "weights": self.loaded.report.sha256,
            "protocol": self.protocol.name,
            "dtype": str(self.dtype).removeprefix("torch."),
            "root": str(self.listed.root.absolute()),
            "list": self.listed.digest,
        }

    @property
    def threads(self) -> int:
        """CPU threads of this process's model."""
        return self.settings.threads or max(1, cores() // self.ranks.local_world)

    @property
    def workers(self) -> int:
        """Processes that decode for this process."""
        if self.settings.workers is not None:
            return self.settings.workers
        return default_workers(self.ranks.local_world)
