"""Every sentence the person reads in the page, so that wording is changed in one place."""

from __future__ import annotations

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
DROP = "Drop a clip of your own here (mp4, webm, mkv, mov, avi, gif; up to 50 MB), or:"
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
STRIP_WORDS = {
    "waiting": "The first clip is being read…",
    "frame": "Frame",
    "play": "Play",
    "pause": "Pause",
    "close": "Close",
    "previous": "Previous frame",
    "next": "Next frame",
    "large": "One frame, large",
    "opacity": "Opacity",
    "colours": "Colours",
    "scale": "Scale",
    "smooth": "Smooth",
    "scales": [["clip", "per clip"], ["frame", "per frame"]],
    "frame_low": "0",
    "frame_high": "highest of each frame",
    "row": "row",
    "column": "column",
    "patch": "Patch in",
    "strongest": "Strongest patch: ",
}
UNATTRIBUTED = (
    "{title}: {share} stays on the CLS token and is shown on no frame or patch (unattributed)."
)
IN_THE_MAP = "heat map"
IN_THE_BARS = "bars"
EQUAL_SHARE = (
    "The small mark on each bar is the equal share: where every bar would end if no frame stood"
    " out."
)
CROP_NOTE = "Outside the outlined square the model saw nothing."
FACT_SIZE = "{width} × {height} px"
FACT_FPS = "{fps:g} frames/s"
FACT_SECONDS = "{seconds:.1f} s"
FACT_COUNTED = "{count} of {total} frames used"
FACT_ESTIMATED = "{count} of about {total} frames used"

# --- methods ---
HEAT = "Heat map on each frame"
BARS = "Bar under each frame"
PANEL_WORDS = {"settings": "Settings", "reset": "Back to the defaults"}
SAMPLING_WORDS = {"settings": "Time span", "reset": "The whole clip"}

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
FILE_UPLOAD = "Open a weights file of up to 50 MB (.pth, .safetensors)"
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

# --- errors ---
PROBLEM = "That did not work"
UNEXPECTED = (
    "Something went wrong inside the program. What you see is still the last good result; try "
    "again, or take another clip. The details are in the program's log."
)
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
