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
3. **A patch becomes a row of numbers.** Learned weights $E$ turn the picture $x$ into $D$ numbers
   for each patch $p$, and a position $e_p$ says where it was:
   $$z_p = E(x)_p + e_p \in \mathbb{R}^{D}$$ In the published models $E$ is one matrix that sees the
   patch alone; small ones let a few convolutions look first. The stripes are the model's own
   $E(x)_p$ of that patch: blue below zero, orange above.
4. **A class token joins.** One row more, CLS, gathers the answer. In STAM every frame has one, so
   $N+1$ tokens stand for a frame; in divided and joint attention the clip has one, $TN+1$ tokens in
   all. Follow the shapes from the file to the answer.
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
   frames. Each colour is one step: the steps of one layer, or, for windows, those of two layers
   that take turns.
3. **Fewer keys cost less.** Joint attention has $TN+1$ keys for each query, divided attention
   $T+N+1$, STAM $N+1$. Read the column for the patch you chose.
4. **Can two patches meet?** Place B in another frame. The last column says after how many layers A
   can hold something of B. In STAM, and in attention in space alone, the answer is *never*, however
   many layers there are: in STAM only what sums up their frames meets, in a second transformer over
   time. Elsewhere it is a matter of layers, of which a small model may have too few.
""",
        ("picker", "schemes", "counts", "meet"),
    ),
    Chapter(
        3,
        "One attention head by hand",
        r"""
1. **Each frame asks and answers.** In the temporal stage a token stands for a whole frame. A head
   makes three short rows of it: a query $q$, a key $k$ and a value $v$, $d$ numbers each. Choose a
   layer, a head and who asks.
2. **Compare.** The query is multiplied with each key, number by number, and the products are added.
   Dividing by $\sqrt{d}$ keeps the sum moderate: $$s_{ij} = \frac{q_i \cdot k_j}{\sqrt{d}}$$
3. **Softmax makes shares.** $$a_{ij} = \frac{e^{s_{ij}}}{\sum_m e^{s_{im}}}$$ A row of the map sums
   to 1. Click a cell to follow one pair of tokens.
4. **Take from the values.** What the token receives is $\sum_j a_{ij} v_j$. On the frames you see
   the chosen row. One head has spoken; it says where it looked, not what decided.
""",
        ("choice", "products", "map", "mixed"),
    ),
    Chapter(
        4,
        "Two roads to the class",
        r"""
1. **One patch, two roads.** Choose a patch and press *Play*. Bright squares hold something of it.
   Both models begin with the same picture.
2. **Divided attention zigzags.** In every layer a patch looks through time, then through space:
   $$W[p,t \to q,s] = S_t[p,q]\;T_q[t,s]$$ After one layer its content may be everywhere, and the
   class token gathers from all frames, layer after layer.
3. **STAM is a funnel.** Through all spatial layers the content stays in its frame. What leaves the
   frame is one row of $D$ numbers; only then do frames meet.
4. **So the shares multiply.** In STAM's rollout $$R[t,p] = R^{\text{time}}[0,t]\cdot
   R^{\text{space}}_t[0,p]$$ and what stays on class tokens belongs to no patch.
""",
        ("choose", "divided", "factorised", "shares"),
    ),
    Chapter(
        5,
        "Rollout, layer by layer",
        r"""
1. **A map per layer.** Fuse the heads, drop the weakest if you like, and give the token itself its
   residual share $\alpha$: $$\tilde A_l = (1-\alpha) A_l + \alpha I$$
2. **Multiply.** Paths through all layers are a product, the later layer on the left:
   $$R_l = \tilde A_l \tilde A_{l-1} \cdots \tilde A_1$$ Move *Layer* and watch the right matrix.
3. **Read the row of CLS.** It says how much of each frame, or each patch, has come to CLS along
   attention. Values, feed-forward layers and the class are left out.
4. **It flattens.** A product of such maps is as a rule smoother than its factors. The bars count
   over how many frames or patches the row is spread. Turn the residual share up and down.
""",
        ("settings", "matrices", "row", "spread"),
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
   multiply-accumulates. Divided attention looks twice in a layer, for $5\,nD^2$ more. The orange
   part of a bar is attention.
3. **A wide model on a short clip is ruled by its linear layers.** With ViT-B at 16 frames of 224
   pixels joint attention needs 448 G, divided 390 G and STAM 280 G: only 1.6 times apart, with 16
   times the pairs. The narrower the model, the more attention weighs.
4. **Long clips part them.** At 64 frames it is 3966, 1572 and 1119 G. Nearly three quarters of
   joint attention's work are pairs by then; divided attention and STAM need four times what they
   did, as their linear layers do. On the curves both axes grow by factors: a line twice as steep is
   a square.
""",
        ("sliders", "rows", "rows", "curves"),
    ),
    Chapter(
        7,
        "Does order matter?",
        r"""
1. **Guess first.** Will the answer survive if the frames are shuffled? Say what you think, then
   see. What you get is the model's own answer to the clip in its new order.
2. **Try other orders.** Backwards, shuffled again, or one frame in all places. *Sit down* played
   backwards is *stand up*; waving played backwards is still waving.
3. **Which frame is the key?** Click the frame that you think decides. Then reveal what attention,
   leaving one frame out, and Shapley values say:
   $$\phi_t = \mathrm{mean}_{\pi}\,[\,v(\pi_{<t} \cup t) - v(\pi_{<t})\,]$$ where the mean is over
   orders $\pi$ in which the frames come in, $\pi_{<t}$ being those before $t$.
4. **Looking is not deciding.** Where attention and effect disagree, the effect says more: it was
   measured by taking the frame away. Not blindly, though: a clip with a frame missing is unlike
   those that the model has learned from.
""",
        ("guess", "guess", "key", "effects"),
    ),
    Chapter(
        8,
        "When pictures lie",
        r"""
1. **Shuffle the model.** From the answer down, layer by layer, all weights change places. A map
   that stays as it was did not look at what the model has learned. The last one never did: it is
   the picture's own contrast, and looks convincing all the same.
2. **Alike is a number.** Rank correlation with the map as it was: 1 is the same order, 0 none. A
   map of space alone cannot notice before the spatial layers go: it knows no class.
3. **High attention, no effect.** Every dot is a frame. Far right and low: much looked at, and
   hardly missed when left out.
4. **Black on black.** Integrated gradients give a pixel the credit
   $$(x_i - x'_i)\int_0^1 \partial_i F\,(x' + \alpha(x-x'))\,d\alpha$$ so a black pixel gets none
   against a black baseline $x'$, whatever it does. Place a black square and compare.
""",
        ("forget", "forget", "scatter", "black"),
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

# What is different in the model in use, by chapter and scheme; shown above the figure.
ABOUT: dict[int, dict[str, str]] = {
    1: {
        "factorised": "In the model in use every frame has a CLS of its own.",
        "divided": (
            "In the model in use the clip has one CLS; each layer copies it into every frame and "
            "takes the mean of the copies. Patches get a position in time beside that in space."
        ),
        "joint": (
            "In the model in use the clip has one CLS. Patches get a position in time beside that "
            "in space."
        ),
        "space": (
            "In the model in use every frame has a CLS of its own, and their mean goes to the "
            "classifier."
        ),
    },
    5: {
        "factorised": "In the model in use space and time have a product each.",
        "divided": (
            "In the model in use space and time take turns in every layer, so there is one product "
            "over all patches. The matrices show it between frames: the mean of a frame's patches "
            "that ask, the sum of those that are asked."
        ),
        "joint": (
            "In the model in use patches of all frames look at each other, so there is one product "
            "over all of them. The matrices show it between frames: the mean of a frame's patches "
            "that ask, the sum of those that are asked."
        ),
    },
    7: {
        "factorised": (
            "The model in use embeds frames one by one, so for another order only its temporal "
            "stage runs again: exact, and quick."
        ),
        "divided": (
            "In the model in use frames meet in every layer, so each other order is a whole pass: "
            "exact, but slower. Shapley values, which need hundreds, are left out here."
        ),
        "joint": (
            "In the model in use frames meet in every layer, so each other order is a whole pass: "
            "exact, but slower. Shapley values, which need hundreds, are left out here."
        ),
        "space": (
            "The model in use takes the mean over its frames: no order can change its answer."
        ),
    },
    8: {
        "divided": (
            "In the model in use attention to a frame is what patches of all frames give it: CLS "
            "takes no part in time."
        ),
        "joint": (
            "In the model in use attention to a frame is what CLS gives to all of its patches."
        ),
    },
}
# The same of a model that begins with convolutions.
ABOUT_STEM = {
    1: "Its embedding begins with convolutions, so a patch has seen some pixels around it too.",
    6: (
        "The convolutions with which the model in use begins are not counted: every row embeds its "
        "patches with one matrix."
    ),
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
        "not_within": "not within {layers}",
        "own": "the model in use",
        "cls_note": "and CLS",
        "status": "A in frame {frame}, row {row}, column {column}; {scheme}: {keys} keys.",
    },
    "three": {
        "label": "One attention head by hand",
        "layer": "Layer",
        "head": "Head",
        "query": "Who asks",
        "key": "Who is asked",
        "map": "The map: rows ask, columns are asked. Every row sums to 1.",
        "product": "q · k",
        "total": "q · k = {total}, times 1/√{width} = {score}, e to that = {exponent}",
        "share": "softmax: {exponent} of {sum} = {share}",
        "numbers": "The first {shown} of {width} numbers",
        "all_numbers": "All {width} numbers",
        "q": "q of {name}",
        "k": "k of {name}",
        "row": "What {name} takes from whom",
        "mixed": "What it receives: the values, weighted and added",
        "value": "v of {name}",
    },
    "four": {
        "label": "Two roads to the class",
        "choose": "The patch:",
        "play": "Play",
        "step": "One step",
        "divided": "Divided attention (TimeSformer)",
        "factorised": "STAM",
        "stations": {
            "divided": [
                "One patch",
                "After attention in time: its place in all frames ({count} patches)",
                "After attention in space: {count} patches, and layer 1 of {layers} is done",
                "The class token has gathered from every frame in every layer",
            ],
            "factorised": [
                "One patch",
                "After layer 1: its own frame ({count} patches), and so after all {layers}",
                "What leaves frame {frame}: one row of {width} numbers",
                "The class token of the second transformer gathers from the frames",
            ],
        },
        "product": (
            "The patch has {inside} of its frame, frame {frame} has {of} of the clip: "
            "{inside} × {of} = {product} of the clip."
        ),
        "kept": "{frame_cls} of the frame and {clip_cls} of the clip stay on class tokens.",
        "joined": (
            "By the model's own rollout the patch has {share} of the clip; {cls} stays on CLS."
        ),
    },
    "five": {
        "label": "Rollout, layer by layer",
        "stage": "Stage",
        "stages": [["time", "time: frames"], ["space", "space: patches of one frame"]],
        "fusion": "Head fusion",
        "fusions": [["mean", "mean"], ["max", "max"], ["min", "min"]],
        "residual": "Residual share",
        "discard": "Discard the weakest",
        "layer": "Layer",
        "frame": "Frame",
        "mixed": "Layer {layer} with its residual",
        "product": "Product of layers 1 to {layer}",
        "row": "CLS after {layer} layers: share of each {what}",
        "frames": "frame",
        "patches": "patch",
        "spread": "Spread over how many, layer by layer",
        "alone": "the layer's map alone",
        "so_far": "the product so far",
        "kept": "{share} stays on CLS itself.",
        "told": "After {layer} layers CLS is spread over {product} of {all}.",
    },
    "seven": {
        "label": "Does order matter?",
        "now": "As filmed: {label}, {share}",
        "guess": "If the frames are shuffled, the answer …",
        "stays": "… stays",
        "changes": "… changes",
        "right_guess": "You guessed it.",
        "wrong_guess": "You guessed otherwise.",
        "shuffle": "Shuffle again",
        "reverse": "Backwards",
        "freeze": "One frame everywhere",
        "tried": {
            "shuffle": "Shuffled",
            "reverse": "Backwards",
            "freeze": "Frame {frame} everywhere",
        },
        "result": "{order}: {label}, {now}. {verdict}",
        "same": "The answer stays.",
        "other": "The answer changes; {label} has {old} now.",
        "key": "Click the frame that decides, then reveal.",
        "chosen": "Your frame: {frame}",
        "reveal": "Reveal",
        "rows": {
            "temporal-attention": "Attention to each frame, last layer",
            "leave-one-out": "Leave one frame out",
            "shapley": "Shapley values (sampled)",
        },
        "score": "Your frame is number {rank} of {all} by this: {method}.",
        "bar": "Frame {frame}: {value}",
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
    "eight": {
        "label": "When pictures lie",
        "forget": "Shuffle the model's weights, layer by layer",
        "forgetting": "{number} of {count} layers are shuffled…",
        "forgotten": "{number} of {count} layers shuffled, the last one: {layer}",
        "nothing": "none",
        "layers": "Layers shuffled",
        "alike": "left as it was, right now: ρ = {likeness}",
        "methods": {
            "temporal-attention": "Attention to each frame",
            "leave-one-out": "Leave one frame out, by frame",
            "spatial-rollout": "Spatial rollout",
            "rollout": "Rollout through space and time",
            "gradient-attention": "Gradient-weighted attention",
            "contrast": "Contrast of the picture, no model",
        },
        "scatter": (
            "Each frame: to the right how much it is looked at, upwards what leaving it out costs "
            "the class (logit)"
        ),
        "attention": "attention to the frame, last layer",
        "square": "Click to place a black square in the middle frame:",
        "black": "Who gets the credit?",
        "changed": "The square changes the logit of “{label}” by {changed}.",
        "baselines": {"black": "Against black", "mean": "Against the clip's mean colour"},
        "inside": "Credit of the square: {inside}",
        "adds": "All credit together {all}, the true rise {rise}",
    },
}

# --- sentences made with numbers ---

OTHER_CLIP = "This figure still shows another clip. Open the tab again."
NOT_AT_ONCE = "This takes a while, so it waits in a queue. Load the page again and ask once more."
NO_CHAPTER = "There is no such chapter. Choose one from the row above the text."
NOT_A_NUMBER = "{name} must be a whole number from {low} to {high}."
NOT_A_SHARE = "{name} must be a number from 0 to {high:g}."
NOT_A_PATCH = "A patch is a frame, a row and a column."
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
SIX_WHY = (
    "{joint} against {stam}. Attention is {joint_share:.0f} % of joint attention's work and "
    "{stam_share:.0f} % of STAM's; the rest are linear layers, of which they need about as much."
)
SIX_TIME = "STAM is counted with {depth} temporal layers and a feed-forward of {hidden}, {whose}."
SIX_WHOSE = {True: "those of the model in use", False: "as published"}

NO_FRAME_HEADS = (
    "In this model patches look at patches: no token stands for a whole frame, so there is no map "
    "between frames to work out by hand. The built-in STAM has one."
)
NO_ROLLOUT = (
    "In this model frames never meet, so there is no map between them to multiply. The built-in "
    "STAM has one."
)
NO_LIES = (
    "This figure sets a model's attention to frames against their effect, and in the model in use "
    "nothing attends to frames: it takes the mean over them. The built-in STAM has such attention."
)
NO_BLACK = (
    "Black on black is not shown with the model in use: integrated gradients need dozens of "
    "pictures on the way from black, and each is a pass of the whole clip where frames meet in "
    "every layer. The built-in STAM embeds the one frame alone."
)
ONE_FRAME = (
    "This clip is one picture, repeated: in whatever order, nothing changes. Take a clip with "
    "movement."
)

THREE_PROMPT = (
    "In layer {layer}, head {head}: which frame does CLS attend to most? (Choose layer and head in "
    "the figure, and CLS as the one who asks.)"
)
THREE_WHY = "Frame {frame} with {share:.1f} %; the next one has {second:.1f} %."

FIVE_PROMPT = (
    "With mean fusion, a residual share of 0.5 and nothing discarded: over about how many frames "
    "is CLS spread after {layers}?"
)
FIVE_LAYERS = {True: "all temporal layers", False: "all layers"}  # whether they are of time alone
FIVE_WHY = "About {answer} of {n}; the last layer's map alone is spread over {alone:.1f}."

SEVEN_PROMPT = "Of {count} random orders of this clip's frames, how many still give “{label}”?"
SEVEN_CHOICES = ("fewer than 25", "25 to 49", "50 to 74", "75 or more")
SEVEN_WHY = "It is {same} of {count}."
SEVEN_BACK_PROMPT = "With the frames backwards, is the answer still “{label}”?"
SEVEN_BACK_CHOICES = ("yes, it stays", "no, it changes")
SEVEN_BACK_WHY = "Backwards it is “{label}”, {share:.0f} %."

NO_PRODUCT = {
    "divided": (
        "It is no product of a share in space and one in time, because the two alternate in every "
        "layer; in a STAM it is."
    ),
    "joint": (
        "It is no product of a share in space and one in time, because one attention looks at "
        "both; in a STAM it is."
    ),
    "space": "Frames never meet in it, and each has an equal share of the clip.",
}
FOUR_PROMPT = (
    "The brightest patch of frame {frame} has {inside:.2f} % of its frame's rollout, and the frame "
    "has {of_clip:.2f} % of the clip's. What share of the clip has the patch?"
)
FOUR_WHY = "{inside:.2f} % of {of_clip:.2f} % is {answer}."
FOUR_PROMPT_DIVIDED = (
    "In divided attention, in how many patches of this clip can the content of one patch be after "
    "one layer?"
)
FOUR_WHY_DIVIDED = "First {frames} in time, then {patches} in each of those frames: {answer}."

EIGHT_SENTENCE = (
    "Frame {most} is looked at most ({share:.1f} %); left out, it changes the logit by "
    "{effect:.2f}, which is place {rank}. Most is lost without frame {best} ({best_effect:.2f})."
)
EIGHT_PROMPT = (
    "Frame {most} has the most attention ({share:.1f} %). In the order of what leaving a frame out "
    "costs, where does it stand?"
)
EIGHT_PLACE = "place {place}"
EIGHT_PLACES = "places {first} to {last}"
