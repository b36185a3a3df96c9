"""Every sentence of the tab "Learn", so that it is reworded or translated in one place.

A chapter's text is an ordered list: one item is one step of the guided tour, and `parts` names for
each step the part of the figure it speaks about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TAB = "Learn"
INTRO = (
    "How space-time attention works, on your own clip and with the numbers of the model in use. "
    "Space bar or → goes on, ← goes back; every figure can be touched at any time."
)


@dataclass(frozen=True)
class Chapter:
    """One chapter: its text, and what of the figure each step speaks about."""

    number: int
    title: str
    text: str
    parts: tuple[str, ...]


CHAPTERS = (
    Chapter(
        1,
        "Frames become words",
        r"""
1. **A clip is sampled.** The model does not watch a film. It looks at $T$ frames, and everything
   between them is lost to it. The marks on the line show which ones; choose a frame.
2. **A frame is cut into patches.** The middle of the frame becomes a square of $S \times S$ pixels,
   and the square becomes $N = h \cdot w$ patches. Click one.
3. **A patch becomes a row of numbers.** Its pixels $x_p$ pass through learned weights $E$, and a
   position $e_p$ says where it was: $$z_p = E\,x_p + e_p \in \mathbb{R}^{D}$$ The stripes are the
   model's own $E\,x_p$ of that patch: blue below zero, orange above.
4. **A class token joins.** Each frame gets one more row, CLS, in which the answer is gathered.
   So $N+1$ tokens stand for a frame. Follow the shapes from the file to the answer.
""",
        ("timeline", "patches", "embedding", "shapes"),
    ),
    Chapter(
        2,
        "Who may look at whom",
        r"""
1. **A query looks at keys.** In attention a token compares its query $q$ with the keys $k_j$ of
   others and takes from each as much as it likes:
   $$\sum_j \mathrm{softmax}_j\!\left(\frac{q \cdot k_j}{\sqrt{d}}\right) v_j$$
   Click a patch: it is A, the one that looks.
2. **The scheme says which keys there are.** Choose one; what A may look at lights up on your own
   frames. Two colours are two steps of one layer.
3. **Fewer keys cost less.** Joint attention has $TN+1$ keys for each query, divided attention
   $T+N+1$, STAM $N+1$. Read the column for the patch you chose.
4. **Can two patches meet?** Place B in another frame. The last column says after how many layers A
   can hold something of B. In STAM, and in attention in space alone, the answer is *never*: in STAM
   only what sums up their frames meets, in a second transformer over time.
""",
        ("picker", "schemes", "counts", "meet"),
    ),
    Chapter(
        6,
        "What it costs",
        r"""
1. **Pairs are what papers count.** Joint attention looks at $(TN+1)^2$ pairs in a layer. Move
   *Frames*: twice the frames, four times the pairs.
2. **Work is more than pairs.** In a layer of width $D$, $n$ tokens cost
   $$\underbrace{12\,nD^2}_{\text{linear layers}} +
   \underbrace{2\,\text{pairs}\cdot D}_{\text{attention}}$$
   multiply-accumulates. The orange part of a bar is attention.
3. **Short clips are ruled by the linear layers.** At 16 frames of 224 pixels joint attention needs
   448 G, divided 390 G and STAM 280 G: only 1.6 times apart, with 15 times the pairs.
4. **Long clips are ruled by attention.** At 64 frames it is 3966, 1572 and 1119 G. On the curves
   both axes grow by factors: a line twice as steep is a square.
""",
        ("sliders", "rows", "rows", "curves"),
    ),
)

# --- the tab's own words ---

NAV_WORDS: dict[str, Any] = {
    "label": "Chapters",
    "chapter": "Chapter {number}: {title}",
    "step": "Chapter {number}, step {step} of {steps}",
    "free_status": "Chapter {number}, free: touch anything",
    "previous": "← Back",
    "next": "Next →",
    "free": "Free mode",
    "free_help": "Show the whole text and highlight nothing",
    "link": "Link to this chapter",
    "copied": "Link copied",
    "solved": "question answered",
    "chapters": [
        {"number": entry.number, "title": entry.title, "parts": list(entry.parts)}
        for entry in CHAPTERS
    ],
}

FIGURE_WORDS: dict[str, Any] = {
    "waiting": "The clip is being read…",
    "computing": "Computing…",
    "example": "Show it on the first example with the built-in model",
    "question": "Question",
    "check": "Check",
    "right": "Right.",
    "wrong": "Not quite. Look at the figure and try again.",
    "frame": "Frame",
    "row": "Row",
    "column": "Column",
    "patch": "patch",
    "cls": "CLS",
    "never": "never",
    "layers": "{count} layers",
    "layer": "1 layer",
    "chapters": [entry.number for entry in CHAPTERS],
    "titles": {str(entry.number): entry.title for entry in CHAPTERS},
    "parts": {str(entry.number): list(entry.parts) for entry in CHAPTERS},
    "one": {
        "label": "Frames become words",
        "timeline": "{frames} of the film's {all} frames are taken",
        "seen": "Frame {frame}, as the model sees it",
        "zoom": "Patch in row {row}, column {column}",
        "embedding": "Its {width} numbers, from {low} to {high}",
        "no_embedding": "This model does not show its patch embedding.",
        "shapes": "Shapes on the way",
    },
    "two": {
        "label": "Who may look at whom",
        "a": "A looks",
        "b": "B is looked at",
        "set": "A click on a frame places",
        "scheme": "Scheme",
        "keys": "Keys of A",
        "meet": "A can hold something of B after",
        "direct": "directly",
        "indirect": "in two steps or more",
        "own": "the model in use",
        "cls_note": "and CLS",
        "status": "A in frame {frame}, row {row}, column {column}; {scheme}: {keys} keys.",
    },
    "six": {
        "label": "What it costs",
        "frames": "Frames T",
        "side": "Side S, pixels",
        "patch": "Patch, pixels",
        "width": "Width D",
        "depth": "Layers L",
        "reset": "Sizes of the model in use",
        "published": "ViT-B/16, 16 frames",
        "scheme": "Scheme",
        "pairs": "Pairs",
        "macs": "GMAC",
        "parameters": "Parameters",
        "memory": "Attention maps",
        "linear": "linear layers",
        "attention": "attention",
        "curve": "Against the number of frames, both axes logarithmic",
        "show": "Curves show",
        "per_clip": "frames",
        "windows_note": (
            "Windows are the base model of Video Swin: it follows frames and side alone."
        ),
    },
}

# --- sentences made with numbers ---

OTHER_CLIP = "This figure still shows another clip. Open the tab again."
NO_CHAPTER = "There is no such chapter. Choose one from the row above the text."
NOT_A_NUMBER = "{name} must be a whole number from {low} to {high}."
FELL_BACK = "{reason} The lessons show the first example with the built-in model in its place."
NO_EXAMPLES = "No example clips were found beside the program. Open a clip in “Inspect” first."

SHAPES = {
    "film": "The film",
    "frames": "Sampled, T × H × W × 3",
    "input": "What the model sees, T × 3 × S × S",
    "patches": "Patches, T × N",
    "tokens": "Tokens in space, T × (N+1) × D",
    "embeddings": "Frame embeddings, T × D",
    "time": "Tokens in time, (T+1) × D",
    "all": "Tokens of the clip, (T·N+1) × D",
    "logits": "Answer, K",
}
FILM_SHAPE = "{n} frames, {width} × {height} px, {seconds:.1f} s"

ONE_PROMPT = "How many tokens, class tokens included, does the spatial stage read for this clip?"
ONE_PROMPT_JOINT = "How many tokens, the class token included, does this model read for this clip?"
ONE_WHY = "{frames} frames × ({patches} patches + 1 CLS) = {answer}."
ONE_WHY_JOINT = "{frames} frames × {patches} patches + 1 CLS = {answer}."

TWO_PROMPT = (
    "Take the first patch of frame 1 and the last patch of frame {last}. In {scheme}, after how "
    "many of its {layers} layers can the one hold something of the other?"
)
TWO_WHY_NEVER = (
    "Never: each frame is a world of its own there. Only the frames' class tokens meet, later."
)
TWO_WHY = "After {count}. Set A and B in the figure and read the last column."

SIX_PROMPT = (
    "At the sizes of the model in use, joint attention looks at {pairs:.1f} times as many pairs as "
    "STAM. How many times as many multiply-accumulates does it need?"
)
SIX_CHOICE = "{value:.1f} times"
SIX_WHY = "{joint} against {stam}: most of either is linear layers, which both need alike."
