"""The same evaluation on Ray Data: clips are decoded by CPU tasks, models are actors.

    entries --decode (one CPU each)--> pixels --Answers (an actor per GPU)--> results

Ray is an optional extra.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stam_core import ray_module
from stam_core.evaluate.answers import Answer, Answerer, Given
from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.lists import Entry
from stam_core.evaluate.loader import death_of_decoder, use_one_thread
from stam_core.evaluate.protocol import DecodedClip, Protocol, decode_clip
from stam_core.models import LoadedModel

logger = logging.getLogger(__name__)

WHAT_TO_INSTALL = (
    "--engine ray needs Ray, which is not installed here. Install it with "
    "`pip install -r requirements-ray.txt`, or use --engine dataloader."
)
STORE_BYTES = 512 * 2**20  # of a local cluster: some hundred decoded clips
CLIPS_PER_TASK = 8  # in long lists; a task that dies costs its clips a second try
Row = dict[str, Any]  # Any: Ray's rows hold arrays, numbers and text
Found = tuple[Entry, DecodedClip, Answer | None]


@dataclass(frozen=True)
class RayPlan:
    """How the work is laid out on a cluster."""

    actors: int  # models
    gpus_each: float
    cpus_each: float
    threads: int  # CPU threads of each model


def import_ray(*, local: bool = False) -> Any:  # noqa: ANN401 - an optional module
    """Ray, quiet and without usage statistics.

    Args:
        local: its cluster will be this machine alone and is to listen on loopback only.

    Raises:
        EvaluationError: it is not installed; the message says how to.
    """
    try:
        return ray_module.import_ray("data", local=local)
    except ImportError as error:
        raise EvaluationError(WHAT_TO_INSTALL) from error


def start_ray(address: str | None, cores: int) -> Any:  # noqa: ANN401 - an optional module
    """Connect to a cluster, or begin a small one on this machine that listens on loopback only.

    Args:
        address: of a running cluster ("auto", "ray://host:10001"); None: a local one.
        cores: of the local cluster.

    Raises:
        EvaluationError: Ray is absent or the cluster cannot be reached.
    """
    ray = import_ray(local=address is None)
    if ray.is_initialized():
        return ray
    options = dict(ray_module.QUIET)
    if address is None:
        options |= {
            "num_cpus": max(2, cores),  # one for decoding beside one for the model
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    else:
        package = importlib.import_module("stam_core")
        options["address"] = address
        options["runtime_env"] = {"py_modules": [str(Path(package.__path__[0]))]}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        where = "on this machine" if address is None else f"at {address!r}"
        raise EvaluationError(
            f"No Ray cluster {where}: {str(error).splitlines()[0] if str(error) else 'no answer'}. "
            "Check --ray-address."
        ) from error
    return ray


def plan_for(ray: Any, actors: int | None, threads: int | None) -> RayPlan:  # noqa: ANN401
    """One model per GPU; without any, one per machine on half of its cores.

    Args:
        ray: the module, connected.
        actors: models asked for; None: as many as fit.
        threads: CPU threads of each model asked for.
    """
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    if gpus:
        return RayPlan(actors or gpus, 1, 0, threads or 1)
    nodes = max(1, sum(bool(node["Alive"]) for node in ray.nodes()))
    count = actors or nodes
    share = max(1, cpus // (2 * max(count, nodes)))
    return RayPlan(count, 0, share, threads or share)


def ray_answers(
    ray: Any,  # noqa: ANN401 - an optional module
    entries: Sequence[Entry],
    loaded: LoadedModel,
    protocol: Protocol,
    *,
    plan: RayPlan,
    batch: int,
    dtype: torch.dtype,
    decode: Callable[[Path, Protocol], DecodedClip] = decode_clip,
) -> Iterator[list[Found]]:
    """Answers as they come, in no order.

    A decoding task that dies takes its block of clips with it. Each of those is then decoded alone;
    what dies again is unusable, the rest goes through the models in a second round, whose errors
    are raised.

    Args:
        ray: the module, connected.
        entries: to evaluate.
        loaded: the model; it travels to the actors through Ray's store.
        protocol: of the evaluation.
        plan: how the work is laid out.
        batch: clips that pass through a model together.
        dtype: of the spatial stage's matrix products.
        decode: of one file.

    Raises:
        EvaluationError: a model actor fails, or Ray loses the work otherwise.
    """
    answers = {"model": ray.put(loaded), "batch": batch, "dtype": dtype, "threads": plan.threads}
    waiting = list(entries)
    for forgiving in (True, False):
        missing = {entry.index: entry for entry in waiting}
        data = _pipeline(ray, waiting, protocol, decode, plan, answers, forgiving=forgiving)
        try:
            for rows in data.iter_batches(batch_size=None, batch_format="numpy"):
                found = [_found(row, missing) for row in _each_row(rows)]
                yield found
        except ray.exceptions.RayError as error:
            raise EvaluationError(
                f"Ray stopped: {str(error).strip().splitlines()[-1][:300]}. The clips done so far "
                "are kept; run the same command again."
            ) from error
        if not missing:
            return
        yield from ([loss] for loss in _decoded_alone(ray, missing, protocol, decode))
        waiting = list(missing.values())
        if not waiting:
            return


def _pipeline(
    ray: Any,  # noqa: ANN401 - an optional module
    entries: Sequence[Entry],
    protocol: Protocol,
    decode: Callable[[Path, Protocol], DecodedClip],
    plan: RayPlan,
    answers: dict[str, Any],
    *,
    forgiving: bool,
) -> Any:  # noqa: ANN401 - a Ray dataset
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what fails is reported by us
    context.max_errored_blocks = -1 if forgiving else 0
    rows = [
        {"index": entry.index, "path": os.fsencode(entry.path), "target": entry.target}
        for entry in entries
    ]
    size = CLIPS_PER_TASK if len(rows) > 100 * CLIPS_PER_TASK else 1
    blocks = -(-len(rows) // size)
    return (
        ray.data.from_items(rows, override_num_blocks=blocks)
        .map(
            _decode_row,
            fn_args=(protocol, decode),
            num_cpus=1,
            ray_remote_args_fn=_tried_once,
        )
        .map_batches(
            _Answers,
            fn_constructor_kwargs=answers,
            batch_size=answers["batch"],
            compute=ray.data.ActorPoolStrategy(size=plan.actors),
            num_gpus=plan.gpus_each,
            num_cpus=plan.cpus_each,
        )
    )


def _tried_once() -> dict[str, Any]:
    """By default Ray gives a task that dies to the next worker, without end."""
    return {"max_retries": 0}


def _decode_row(
    row: Row, protocol: Protocol, decode: Callable[[Path, Protocol], DecodedClip]
) -> Row:
    use_one_thread()
    clip = decode(Path(os.fsdecode(row["path"])), protocol)
    side = protocol.preprocessing.side
    nothing = np.zeros((protocol.num_frames, 3, side, side), np.uint8)
    return {
        "index": row["index"],
        "target": row["target"],
        "pixels": nothing if clip.pixels is None else clip.pixels,
        "usable": clip.pixels is not None,
        "reason": clip.reason.encode("utf-8", "backslashreplace"),
        "drops": -1 if clip.official_drops is None else int(clip.official_drops),
    }


class _Answers:
    """A model in an actor."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - a reference into Ray's store
        batch: int,
        dtype: torch.dtype,
        threads: int,
    ) -> None:
        ray = import_ray()
        torch.set_num_threads(threads)
        loaded: LoadedModel = ray.get(model)
        device = torch.device("cuda" if ray.get_gpu_ids() else "cpu")
        self.answerer = Answerer(loaded.model, loaded.info, device=device, dtype=dtype, batch=batch)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        n = len(rows["index"])
        clips = (
            Given(place, int(rows["target"][place]), rows["pixels"][place])
            for place in range(n)
            if rows["usable"][place]
        )
        found = [pair for batch in self.answerer.answers(clips) for pair in batch]
        predicted, rank = np.full(n, -1), np.full(n, -1)
        probability = np.zeros(n)
        for place, answer in found:
            if answer is not None:
                predicted[place], rank[place] = answer.predicted, answer.rank
                probability[place] = answer.probability
        kept = {name: rows[name] for name in ("index", "usable", "reason", "drops")}
        return {**kept, "predicted": predicted, "rank": rank, "probability": probability}


def _each_row(rows: dict[str, Any]) -> Iterator[Row]:
    for place in range(len(rows["index"])):
        yield {name: column[place] for name, column in rows.items()}


def _found(row: Row, missing: dict[int, Entry]) -> Found:
    entry = missing.pop(int(row["index"]))
    drops = None if row["drops"] < 0 else bool(row["drops"])
    clip = DecodedClip(None, bytes(row["reason"]).decode("utf-8"), drops)
    if row["rank"] < 0:
        return entry, clip, None
    answer = Answer(int(row["predicted"]), float(row["probability"]), int(row["rank"]))
    return entry, clip, answer


def _decoded_alone(
    ray: Any,  # noqa: ANN401 - an optional module
    missing: dict[int, Entry],
    protocol: Protocol,
    decode: Callable[[Path, Protocol], DecodedClip],
) -> Iterator[Found]:
    """Take those clips out of `missing` whose decoder dies again; what can be decoded stays."""
    task = ray.remote(num_cpus=1, max_retries=0, max_calls=1)(_decodes)
    for index, entry in list(missing.items()):
        try:
            ray.get(task.remote(os.fsencode(entry.path), protocol, decode))
        except ray.exceptions.WorkerCrashedError:
            del missing[index]
            yield entry, DecodedClip(None, death_of_decoder(None)), None


def _decodes(
    path: bytes, protocol: Protocol, decode: Callable[[Path, Protocol], DecodedClip]
) -> bool:
    use_one_thread()
    return decode(Path(os.fsdecode(path)), protocol).pixels is not None


def stop_ray(ray: Any) -> None:  # noqa: ANN401 - an optional module
    """Leave the cluster; a local one ends."""
    ray.shutdown()
