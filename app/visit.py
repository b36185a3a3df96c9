"""What a visitor's `gr.State` holds: names and numbers, never arrays.

Nothing of the core is imported here: the page is laid out while the core is still being loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EMBEDDED = "stam-actions"


@dataclass(frozen=True)
class Visit:
    """One visitor's choices."""

    model: str = EMBEDDED  # key of session.Engines
    source: str | None = None  # key of session.Sources; None: no clip yet
    policy: str = "uniform"
    span_seconds: tuple[float, float] | None = None
    heat: str = ""  # method of the heat map; "": the first one
    heat_parameters: dict[str, Any] = field(default_factory=dict)
    bars: str = ""  # method of the bars; "": the first one
    bars_parameters: dict[str, Any] = field(default_factory=dict)
    # The class that methods speak about where they use one (None: the predicted one), and the
    # class it is held against; by their place among the model's labels.
    target: int | None = None
    foil: int | None = None
