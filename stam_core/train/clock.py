"""When a stage saves and draws its curves, and how long it still takes."""

from __future__ import annotations

import time

_DRAW_EVERY = 120.0  # seconds, at least, between two drawings of the curves
_SAVING_SHARE = 0.05  # of the time, at most, is spent on saving


class Clock:
    """The seconds of one run of a stage."""

    def __init__(self, *, save_seconds: float, save_steps: int) -> None:
        """Save after so many seconds or steps, whichever comes first."""
        self.save_seconds, self.save_steps = save_seconds, save_steps
        self.began = self.last = self.last_saved = time.monotonic()
        self.last_drawn = -_DRAW_EVERY
        self.save_cost = 0.0  # seconds
        self.steps = 0

    def tick(self) -> float:
        """A step is done; the seconds it took."""
        now = time.monotonic()
        took, self.last = now - self.last, now
        self.steps += 1
        return took

    def seconds_per_step(self) -> float:
        """Over this run; above 0."""
        return max(self.last - self.began, 1e-6) / max(self.steps, 1)

    def is_time_to_save(self, step: int) -> bool:
        """Every so many steps or seconds, but never most of the time."""
        waited = time.monotonic() - self.last_saved
        due = waited >= self.save_seconds or step % self.save_steps == 0
        return due and waited >= self.save_cost / _SAVING_SHARE

    def is_time_to_draw(self) -> bool:
        """Not more often than somebody would look."""
        if time.monotonic() - self.last_drawn < _DRAW_EVERY:
            return False
        self.last_drawn = time.monotonic()
        return True

    def saved(self, cost_seconds: float) -> None:
        """A state was written, in so many seconds."""
        self.last_saved, self.save_cost = time.monotonic(), cost_seconds


def spoken(seconds: float) -> str:
    """A stretch of time as somebody would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
