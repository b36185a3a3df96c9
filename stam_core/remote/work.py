"""What travels between an engine that asks and a replica that answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stam_core.errors import StamError


class RemoteError(StamError):
    """The machine that was to answer cannot, or has gone in the middle; the next one may."""


@dataclass(frozen=True)
class Sent:
    """Something heavy by its name: fetched by a replica only if it does not know the name yet."""

    name: str
    place: Any  # Any: whatever the caller's `put` gave


@dataclass(frozen=True)
class Work:
    """A question for a replica: a function of an engine and clips.

    The function travels by its name (it belongs to a module), with small arguments.
    """

    question: Callable[..., Any]  # of an Engine, the clips, the arguments
    model: Sent
    clips: tuple[Sent, ...] = ()
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """Who answered about this before answers faster again."""
        return " ".join([self.model.name, *(clip.name for clip in self.clips[:1])])


@dataclass(frozen=True)
class Refused:
    """An error for the person, as an answer: it is not the replica's failure."""

    error: StamError


class Caller(Protocol):
    """Brings questions to some replica and answers back."""

    def put(self, thing: object) -> Any:  # noqa: ANN401 - opaque to all but the caller
        """Keep something where replicas can fetch it, for as long as what is returned is kept."""
        ...

    def call(self, work: Work) -> Any:  # noqa: ANN401 - whatever the question returns
        """The answer of one replica.

        Raises:
            StamError: the question's own.
            RemoteError: no replica answered.
        """
        ...

    def parts(self, work: Work) -> Iterator[Any]:
        """The answer of one replica in parts, as they come; closing it ends the work there.

        Raises:
            StamError: the question's own.
            RemoteError: no replica answered, or it has gone in the middle.
        """
        ...
