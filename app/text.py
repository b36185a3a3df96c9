"""Every sentence the person reads in the page, so that wording is changed in one place."""

from __future__ import annotations

import json
from typing import Any

from app.components.base import component_file

TITLE = "STAM: what a space-time attention model sees in a clip"
HEADING = (
    "# What does a space-time transformer see in a clip?\n"
    "Drop in a clip: see the action it recognises, the frames it attends to, and "
    "where in each frame it looks."
)
INSPECT = "Inspect"

# --- clip ---
EXAMPLES = "Example clips"
NO_EXAMPLES = "No example clips were found beside the program. Open a clip of your own."
UPLOAD = "Open a clip…"
DROP = (
    "Drop a clip of your own here (mp4, webm, mkv, mov, avi, gif; up to {size} MB, {hours:.3g} "
    "hours, {megapixels:.3g} megapixels a frame and {frames:,} decoded frames), or:"
)
OPENING_WORDS = {
    "opening": "Opening the clip…",
    "long": "Still opening the clip: it is a large one, or others are ahead of you. It goes on by "
    "itself; choosing another one ends it.",
    "seconds": "{seconds} s",
}
RECORDING = "Webcam recording"
WEBCAM = "Webcam"
WEBCAM_VIDEO = "A few seconds are enough: one person, whole body in view"
SAMPLING_TITLE = "Frames taken"
SPAN_START = "From (seconds)"
SPAN_END = "To (seconds)"
SPAN_HELP = "The frames are taken from this part of the clip."
EMPTY_SPAN = "The span ends before it begins. Move “From” to the left of “To”."

# --- predictions ---
PREDICTIONS = "Predicted action"
PREDICTION_NOTE = (
    "{model}. The model always shares 100 % among its {classes} labels, also for actions it "
    "does not know."
)

# --- strip ---
STRIP_WORDS: dict[str, Any] = {
    **json.loads(component_file("strip_words.json")),  # the offline report has the same
    "waiting": "The first clip is being read…",
}

# --- methods ---
HEAT = "Heat map on each frame"
BARS = "Bar under each frame"
PANEL_WORDS = {"settings": "Settings", "reset": "Back to the defaults"}
SAMPLING_WORDS = {"settings": "Time span", "reset": "The whole clip"}
TARGET = "Speak about"
PREDICTED_CLASS = "the predicted class"
PASSES = "Passes of the model: {passes}."
FOIL = "Rather than"
NO_FOIL = "(no other class)"
FOIL_HELP = "Why not that one? The scores then say what speaks for one against the other."
NO_CLASS = "The page asked for a class that the model does not have. Choose one from the list."
SAME_CLASS = "“{label}” cannot be held against itself. Choose another class."

# --- model ---
MODEL = "Model"
WAKING = "The model is waking up…"
MODEL_MORE = "Details, and checkpoints of your own"
CARD_TITLE = "{title} is not on this computer yet"
CARD_SOURCE = "Source"
CARD_SIZE = "Size"
CARD_LICENCE = "Licence"
CARD_PUBLISHED = "Published"
CARD_PAPER = "Paper"
CARD_UNKNOWN_SIZE = "not stated by the source"
CARD_NOTE = (
    "Nothing is fetched before you press the button. A download that breaks off goes on where "
    "it stopped."
)
SIZE = "{megabytes:,.0f} MB"
DOWNLOAD = "Download and use"
CANCEL = "Stay with the current model"
FILE_UPLOAD = "Open a weights file of up to {size} MB (.pth, .safetensors)"
FILE_PATH = "Or the path of a weights file on this computer, of any size"
FILE_PATH_EXAMPLE = "~/Downloads/stam_16.pth"
FILE_PATH_BUTTON = "Use this file"
NO_PATH = "Type the path of a checkpoint file first."
NO_HOME = "There is no such home folder on this computer. Type the whole path of the file."
PATH_NOT_ALLOWED = "Paths are accepted only when the program runs on your own computer."
OWN_CHECKPOINT = "Open a model you trained yourself (.safetensors)"
STAYED = "{message} The model in use stays: {title}."
FACT_MODEL_FRAMES = "{frames} frames of {side} × {side} px, {h} × {w} patches each"
MODEL_TAKES = "Takes"
MODEL_RUNS = "Runs on"
PUBLISHED_NAMES = {
    "kinetics400_top1_percent": "{value:g} % top-1 on Kinetics-400",
    "gmacs_per_clip": "{value:g} GMAC per clip",
    "v100_videos_per_second": "{value:g} clips/s on a V100",
}

# --- take it away ---
TAKE_WORDS: dict[str, Any] = {
    "title": "Take it away: picture, film, report, numbers, link",
    "waiting": "Appears when a clip is open.",
    "files": "What is shown above, as a file",
    "kinds": [
        ["png", "Figure (PNG)"],
        ["pdf", "Figure (PDF, vectors)"],
        ["mp4", "Film (MP4)"],
        ["gif", "Film (GIF)"],
        ["html", "Report (HTML, works offline)"],
        ["json", "Every number (JSON)"],
    ],
    "link": "A link to this view",
    "no_link": "Only example clips can be named in a link: your own clip stays with you.",
    "python": "In Python",
    "command": "On the command line",
    "copy": "Copy",
    "copied": "Copied",
    "by_hand": "Press Ctrl+C",
    "making": "Being made…",
}
LAB_TAKE_WORDS: dict[str, Any] = {
    **TAKE_WORDS,
    "title": "Take it away: the edited strip with its answer, effects and curves",
    "kinds": [
        ["png", "Figure (PNG)"],
        ["pdf", "Figure (PDF, vectors)"],
        ["json", "Every number (JSON)"],
    ],
    "link": "A link to this edited strip",
    "no_link": "Only example clips can be named in a link: your own clips stay with you.",
    "command": "On the command line: the last row of bars (an edit needs Python)",
}
COMPARE_TAKE_WORDS: dict[str, Any] = {
    **LAB_TAKE_WORDS,
    "title": "Take it away: both sides with their scores",
    "link": "A link to this comparison",
    "command": "On the command line: each side by itself",
}
TAKE_NO_KIND = "There is no such file to take. Choose one of those offered."
OWN_WEIGHTS = "your_checkpoint.safetensors"
LINK_FELL_BACK = "The link asked for something that is not here. {reason} The default is shown."
LINK_NO_EXAMPLE = "It names an example clip that is not among these."
LINK_NO_MODEL = "It names a model that is not on this computer."
LINK_NO_EDIT = (
    "Its edit of the strip cannot be read or does not fit: the model takes {count} frames, counted "
    "from 1."
)
LINK_NO_METHOD = "It names a method that is not known."
LINK_NO_CLASS = "It names a class that the model does not have."

# --- compare ---
COMPARE = "Compare"
COMPARE_INTRO = (
    "**Two views side by side.** Two methods, two classes, two models or two clips: change one "
    "side and leave the other. Below stands what each ranking is worth."
)
COMPARE_SIDES = ("Left", "Right")
COMPARE_CLIP = "Clip"
COMPARE_MODEL = "Model"
COMPARE_INSPECTED = "the clip in “Inspect”: {name}"
COMPARE_SCORE_WORDS = {
    "title": "What each is worth",
    "waiting": "Appears when a clip is open.",
    "working": "Being measured…",
}
COMPARE_SAME_SCALE = "Both are drawn on one scale: equal colours and equal bars are equal scores."
COMPARE_OTHER_UNITS = (
    "These scores have different units, so each side is drawn against its own highest score: "
    "compare where they lie, not how high they are."
)
COMPARE_NO_PLACES = (
    "The two sides show other frames or other patches, so their rankings cannot be compared."
)
COMPARE_FRAMES = "Does the answer follow the ranking of the frames?"
COMPARE_FRAMES_HELP = (
    "z: how far the gap between bringing frames back best first and taking them away best first "
    "lies above that of {orders} random orders; within the band of 95 % of them it is “random”."
)
COMPARE_TRUTH = "Does it find what is known to be true of this rendered clip?"
COMPARE_TRUTH_HELP = (
    "In brackets: what the same scores would get in random places. The truth is where the limbs "
    "move, not what the model used."
)
COMPARE_NO_TRUTH = "The truth is known of the rendered example clips only."
COMPARE_NO_FRAMES = "scores no frames"
COMPARE_TOO_DEAR = "not measured: {passes:,} whole passes of this model or more"
COMPARE_TWO_NUMBERS = "{left} (left) and {right} (right)"  # of random orders
COMPARE_VERDICTS = {
    "better": "better than random",
    "random": "random",
    "worse": "worse than random",
}
COMPARE_FLIPS = "The verdict depends on how frames are taken away."
COMPARE_ANSWER = "Answer"
COMPARE_COST = "Cost"
COMPARE_COST_VALUE = "{passes:.3g} × one pass of the model, {seconds:.2f} s"
COMPARE_GONE = "The page asked for a clip that is not here. Choose one from the list."

# --- frame lab ---
FRAME_LAB = "Frame lab"
LAB_INTRO = (
    "**Change the frames and watch the answer.** A STAM summed up each frame in one vector when "
    "the clip was read, so an edit runs only its small temporal transformer again; other models "
    "see the whole edited clip anew. Either way what you see is exact. It is also unusual for the "
    "model: it was trained on whole clips only."
)
LAB_WORDS = {
    "waiting": "Open a clip in the tab “Inspect” first; its frames appear here.",
    "title": "Frames",
    "place": "Place",
    "frame": "frame",
    "second_frame": "frame of the second clip",
    "removed": "removed",
    "hint": (
        "Click a frame to remove it or put it back; drag it to another place. Keys: arrows to "
        "go, Shift with arrows to move the frame, Delete to remove, Ctrl+Z to undo."
    ),
    "undo": "Undo",
    "redo": "Redo",
    "reset": "Reset",
    "reverse": "Reverse",
    "shuffle": "Shuffle",
    "freeze": "Freeze",
    "freeze_help": "Show the outlined frame at every place",
    "only": "Keep only",
    "only_help": "Remove every frame but the outlined one",
    "left": "◀ Move",
    "left_help": "Move the outlined frame one place earlier",
    "right": "Move ▶",
    "right_help": "Move the outlined frame one place later",
    "removal": "A removed frame leaves",
    "removals": [
        ["drop", "nothing"],
        ["mean", "the clip's mean embedding"],
        ["hold", "the nearest kept frame"],
    ],
    "places": "and the others",
    "places_choices": [["keep", "keep their positions"], ["close", "close the gap"]],
    "splice": "Frames of a second clip",
    "splice_none": "Choose a clip…",
    "splice_hint": (
        "Click a frame to put it in the outlined place above, or drag it onto a place."
    ),
    "status": "{kept} of {all} frames kept",
    "status_order": "order changed",
    "status_repeats": "frames repeated",
    "status_second": "frames of the second clip: {count}",
    "status_none": "as opened",
}
LAB_SECOND_UPLOAD = "Second clip from a file…"
LAB_AS_OPENED = "The clip as opened."
LAB_REMOVED = {
    "drop": {
        "keep": "A removed frame leaves nothing; the others keep their positions.",
        "close": "A removed frame leaves nothing; the others close the gap.",
    },
    "mean": "A removed frame leaves the clip's mean embedding.",
    "hold": "A removed frame leaves the nearest kept frame.",
}
LAB_NO_FRAME = "No frame is left: this is what the temporal CLS token says on its own."
LAB_OTHER_CLIP = (
    "The page was showing another clip than the one now open. Open the tab “Frame lab” again."
)
LAB_BAD_EDIT = "The page sent an edit that cannot be read. Press “Reset” and try again."
ANSWER_WORDS = {
    "title": "Answer to the edited clip",
    "waiting": "The model is waking up…",
    "same": "as opened",
    "was": "was",
    "changed": "The answer changed.",
    "points": "points",
    "help": "Bar: now. Mark: the clip as opened. Press a class to ask about it below.",
    "question": "Ask about another class",
    "target": "Ask about",
    "predicted": "the predicted class",
    "foil": "rather than",
    "no_foil": "(no other class)",
}
EFFECT_WORDS = {
    "title": "Attention against effect",
    "waiting": "Appears when a clip is open.",
    "about": "About “{target}”, for the clip as opened.",
    "about_foil": "About “{target}” rather than “{foil}”, for the clip as opened.",
    "scale": (
        "Each row has its own scale. Blue speaks for the class, orange against it; attention has "
        "no sign. Attention says what was read, the other rows what it did to the answer."
    ),
    "frame": "Frame",
    "running": "working…",
    "stop": "Stop",
    "stopped": "stopped at {percent} %: these are estimates",
    "sufficient": "Show them in the strip",
}
EFFECT_CORRELATION = "Rank correlation with {measured}: {list}."
EFFECT_SUM = "sum of the bars {sum}; all frames {all} − none {none}"
EFFECT_INTERVAL = "mark: 95 % interval"
EFFECT_SUFFICIENT = {
    1: "Frame {frames} alone keeps the predicted class on top.",
    2: "Frames {frames} alone keep the predicted class on top.",
}
# With a class it is held against the set keeps one above the other; a third one may lead.
EFFECT_SUFFICIENT_FOIL = {
    1: "Frame {frames} alone keeps “{target}” above “{foil}”.",
    2: "Frames {frames} alone keep “{target}” above “{foil}”.",
}
EFFECT_ALIKE = "({count} other such choices would do.)"
CURVE_WORDS = {
    "decision": "When did it decide?",
    "decision_help": (
        "The class's value when the model is given the first 1, 2, 3, … frames, or the last ones."
    ),
    "prefix": "first n frames",
    "suffix": "last n frames",
    "frames": "frames given",
    "depth": "Read out after each temporal layer",
    "layer": "layer",
    "order": "Does order matter?",
    "order_help": "The same frames in other orders, and each frame alone at every place.",
    "original": "as opened",
    "reversed": "reversed",
    "shuffles": "shuffled",
    "frozen": "frozen on one frame",
    "frame": "frame",
    "waiting": "Appears once a clip is open and its frames are measured.",
    "probability": "probability",
    "difference": "difference of probabilities",
}
CURVE_DECIDED = "It leads from the first {count} of {all} frames on."
CURVE_DECIDED_AT_ONCE = "It leads from the very first of {all} frames on."
CURVE_ALWAYS = "It leads whatever the number of frames, even with none."
CURVE_UNDECIDED = "It does not lead, even with all frames."
CURVE_DEPTH = "Read out layer by layer, it leads from layer {layer} of {all} on."
CURVE_ORDER = (
    "As opened {original}, reversed {reversed}, shuffled {median} (half of the {count} shuffles "
    "between {low} and {high})."
)
CURVE_ORDER_HELD = "It leads in {held} of {count} shuffles."

# --- errors ---
PROBLEM = "That did not work"
UNEXPECTED = (
    "Something went wrong inside the program. What you see is still the last good result; try "
    "again, or take another clip. The details are in the program's log."
)
BUSY = "Too many people ask at this moment. Nothing is lost: try again in a few seconds."
JOB_TOO_LONG = (
    "This took longer than {seconds} s and was ended; what you see is how far it came. Choose "
    "fewer steps or a shorter part, or try again when fewer people are here."
)
NO_ADDRESSES = "This server fetches nothing from addresses. Download the clip and choose its file."
CLOSED_DOOR = "The page does not use this, so it is closed."
EVENT_TOO_LARGE = "This is more than the page ever sends at once. Load the page anew."
UPLOAD_TOO_LARGE = "That is more than one clip may hold. Send one clip at a time, or a smaller one."
STOPPING = "The server is being stopped. Try again in a minute."
CLIP_GONE = "This clip is no longer kept on the server. Open it again."
NO_CLIP = "Open a clip or choose an example first."
MODEL_GONE = "The checkpoint you opened is no longer kept on the server. Open it again."

# --- about ---
ABOUT_TITLE = "What these pictures say, and what they do not"
ABOUT = """
**What the model knows.** It stands under *Model*. A model gives one of its labels to *every*
clip, also to clips that show none of its actions. The embedded model has seen nothing but
rendered people in training: for real-world actions choose one of the Kinetics-400 models. It was
also taught to attend to the frames in which limbs move most; the published STAM was not.

**How STAM looks at a clip.** A spatial transformer looks at each sampled frame *on its own* and
sums it up in one vector. Only those vectors meet, in a small temporal transformer. So a frame's
spatial map does not depend on the other frames, nor on their order: it shows what the frame model
gathers, not what moves. This is not the divided attention of TimeSformer.

**Attention is not effect.** A frame or patch with much attention need not change the answer, and
one with little may. Maps say where information was *read*, not whether it spoke for or against
the action.

**Rollout is a bookkeeping of attention.** It multiplies attention maps through the layers. It
leaves out values, MLPs, normalisation, sign and class: the map is the same whichever action you
ask about.

**One layer is not the whole way.** In the last layer each token is already a mixture of many
patches; bright isolated patches can be artefacts in which the network keeps notes rather than
evidence.

**What adds up.** Bars and heat maps are shares. What stays on the CLS tokens belongs to no frame
and no patch; it is stated as *unattributed* instead of being spread over the others. The heat map
has one scale for the whole clip, starting at zero, unless you ask for one per frame; then a faint
frame looks as strong as a strong one.

**Privacy.** Clips stay on the computer that runs this program and are deleted after an hour.
Nothing is sent anywhere else.
"""
