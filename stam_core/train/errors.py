"""What can go wrong in a training, told to the person who started it."""

from __future__ import annotations

from stam_core.errors import StamError


class TrainingError(StamError):
    """A training cannot begin, go on, or write what it has to."""


class TrainingStoppedError(StamError):
    """A signal ended the training; its state is saved and the same command goes on from there."""

    def __init__(self, message: str, signal_number: int) -> None:
        """Say how far it came, and which signal it was."""
        super().__init__(message)
        self.signal_number = signal_number
