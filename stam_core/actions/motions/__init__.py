"""The actions: one short function each, in files of a kind, and what is true of their labels."""

from __future__ import annotations

from stam_core.actions.motions import exercise, gestures, locomotion, transitions
from stam_core.actions.motions.base import Moments, Motion

ACTIONS: dict[str, Motion] = {
    "walk": locomotion.walk,
    "run": locomotion.run,
    "jump": exercise.jump,
    "jumping jacks": exercise.jumping_jacks,
    "wave one hand": gestures.wave_one_hand,
    "wave two hands": gestures.wave_two_hands,
    "bend down": transitions.bend_down,
    "straighten up": transitions.straighten_up,
    "squat": exercise.squat,
    "kick": exercise.kick,
    "punch": exercise.punch,
    "sit down": transitions.sit_down,
    "stand up": transitions.stand_up,
    "fall down": transitions.fall_down,
    "get up": transitions.get_up,
    "clap": gestures.clap,
    "side-step": locomotion.side_step,
    "skip": locomotion.skip,
    "throw": exercise.throw,
    "pick up": transitions.pick_up,
    "put down": transitions.put_down,
    "turn around": locomotion.turn_around,
    "idle": gestures.idle,
}
LABELS = tuple(ACTIONS)
# Each is the other played backwards.
TIME_PAIRS = (
    ("bend down", "straighten up"),
    ("sit down", "stand up"),
    ("fall down", "get up"),
    ("pick up", "put down"),
)
# Shown from the front half only: from behind, the body hides the hands that carry the action.
HANDS_IN_FRONT = ("clap", "punch", "wave one hand", "wave two hands", "pick up", "put down")
# Shown from the waist up now and then: the legs have no part in them.
ARMS_ALONE = ("clap", "wave one hand", "wave two hands")
# Shown across the picture, from in front or behind: seen from the side they look like others.
ACROSS = ("side-step",)
LOCOMOTION = ("walk", "run", "skip", "side-step")
SEATED = ("sit down", "stand up")
# Seconds a clip of the action lasts. What goes on and on may last long; what happens once fits.
_ONCE = (
    "bend down",
    "straighten up",
    "sit down",
    "stand up",
    "fall down",
    "get up",
    "throw",
    "pick up",
    "put down",
    "turn around",
)
DURATIONS = {name: (1.4, 5.0) if name in _ONCE else (1.6, 8.0) for name in LABELS}

__all__ = [
    "ACROSS",
    "ACTIONS",
    "ARMS_ALONE",
    "DURATIONS",
    "HANDS_IN_FRONT",
    "LABELS",
    "LOCOMOTION",
    "SEATED",
    "TIME_PAIRS",
    "Moments",
    "Motion",
]
