"""What can go wrong in an evaluation, told to the person who can mend it."""

from __future__ import annotations

from stam_core.errors import StamError


class EvaluationError(StamError):
    """The list, the folder for results or the processes of an evaluation are not usable."""
