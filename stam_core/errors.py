"""What can go wrong, told to the person who can mend it.

Every message is one sentence or two: what happened, then what to do next. Raise the child whose
name says which input is at fault; the command line turns any of them into exit code 2, the app into
a message box.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StamError(Exception):
    """Base of every error a user can cause and mend."""

    def __reduce__(self) -> tuple[Callable[..., StamError], tuple[Any, ...]]:
        """Travels between processes as it is, although a child's `__init__` may take other things.

        (By default what is pickled are the message and the type, which is then called with it.)
        """
        return _same_again, (type(self), self.args, dict(self.__dict__))


def _same_again(
    kind: type[StamError], arguments: tuple[Any, ...], fields: dict[str, Any]
) -> StamError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    return error


class VideoError(StamError):
    """The clip cannot be opened, holds no usable picture, or is not a video."""


class OpeningCancelledError(VideoError):
    """Whoever asked for the clip does not want it any more."""


class SamplingError(StamError):
    """The requested frames do not exist: bad span, bad policy, no frames left."""


class WeightsError(StamError):
    """A checkpoint is missing, unreadable, unsafe, or belongs to another model."""


class DownloadError(WeightsError):
    """A checkpoint could not be fetched; what arrived so far is kept for the next try."""


class UnknownNameError(StamError):
    """A model, method, label or policy by that name does not exist."""

    def __init__(self, kind: str, name: object, known: list[str]) -> None:
        """Say which name was not known and list those that are."""
        super().__init__(f"There is no {kind} {str(name)!r}. Known: {', '.join(known)}.")


class ParameterError(StamError):
    """A value is out of range or of the wrong type; the message names the range."""
