"""Engines whose models run behind Ray Serve, on a local Ray of two replicas.

STAM_TEST_RAY names a cluster that runs already, in place of one begun here.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from app.analysis import EXAMPLES_FOLDER, Analyst, read_examples
from app.learn.desk import Learn
from app.visit import Visit
from stam_core import Engine
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain.by_hand import head_by_hand
from stam_core.remote import RemoteEngine, RemoteError
from stam_core.remote.ray_serve import AT_ONCE, LOCAL, RayServe, ReplicaPlan, start_serve

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ray", "uvicorn", "starlette")),
    reason="needs Ray Serve: pip install -r requirements-ray.txt",
)
PATIENCE_SECONDS = 300.0  # a busy machine starts a replica slowly
PLAN = ReplicaPlan(least=2, most=2, gpus_each=0, cpus_each=0.5, threads=1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayServe]:
    found = start_serve(
        os.environ.get("STAM_TEST_RAY", LOCAL),
        plan=PLAN,
        modules=("stam_core", "app"),
        cores=2,
        patience_seconds=PATIENCE_SECONDS,
    )
    yield found
    found.stop()


@pytest.fixture(scope="module")
def there(cluster):
    return RemoteEngine(caller=cluster)


@pytest.fixture(scope="module")
def here():
    threads = torch.get_num_threads()
    torch.set_num_threads(PLAN.threads)  # other sums of floats with other threads
    yield Engine(device="cpu")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def clips(here):
    return [here.open(example.path) for example in read_examples(EXAMPLES_FOLDER)][:4]


def process_of(engine: RemoteEngine, clip, seconds: float = 0.0) -> int:
    """The process that answers about a clip, after working for so long."""
    return engine.ask(lambda subject: time.sleep(seconds) or os.getpid(), clip)


def test_the_numbers_are_those_of_an_engine_here(here, there, clips):
    clip = clips[0]
    assert (there.info, there.report.sha256) == (here.info, here.report.sha256)
    assert (there.device, there.dtype) == (str(here.device), here.dtype)
    np.testing.assert_allclose(there.predict(clip).logits, here.predict(clip).logits, atol=1e-6)
    edit = [3, 2, 2, 15]
    np.testing.assert_allclose(
        there.edit(clip, frames=edit).logits, here.edit(clip, frames=edit).logits, atol=1e-6
    )
    for method in ("rollout", "leave-one-out"):
        one, other = (engine.explain(clip, method=method) for engine in (there, here))
        for name in ("frames", "patches"):
            found, wanted = getattr(one, name), getattr(other, name)
            assert (found is None) == (wanted is None)
            if wanted is not None:
                np.testing.assert_allclose(found, wanted, atol=1e-6)
    found, wanted = (engine.ask(head_by_hand, clip, 1, 2) for engine in (there, here))
    torch.testing.assert_close(found.weights, wanted.weights, atol=1e-6, rtol=0)


def test_parts_come_while_the_work_goes_on(here, there, clips):
    arrived, told = [], []
    for explanation in there.stream(clips[0], method="shapley"):
        arrived.append(time.monotonic())
        told.append(explanation)
    assert len(told) > 2
    assert told[0].done < 1 == told[-1].done
    assert arrived[-1] - arrived[0] > 0.1
    wanted = here.explain(clips[0], method="shapley")
    np.testing.assert_allclose(told[-1].frames, wanted.frames, atol=1e-6)


def test_who_leaves_ends_the_work(there, clips, tmp_path):
    seen = tmp_path / "seen"
    ended = tmp_path / "ended"

    def steps(subject) -> Iterator[int]:
        try:
            for number in range(600):
                seen.write_text(str(number))
                yield number
                time.sleep(0.05)
        finally:
            ended.touch()

    parts = there.follow(steps, clips[0])
    assert [next(parts), next(parts)] == [0, 1]
    parts.close()
    end = time.monotonic() + 20
    while not ended.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert ended.exists()
    assert int(seen.read_text()) < 599


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        (lambda e, c: e.explain(c, method="no"), UnknownNameError, "no method 'no'"),
        (lambda e, c: e.explain(c, method="shapley", pairs=-1), ParameterError, "pairs"),
        (lambda e, c: e.edit(c, frames=[99]), ParameterError, "no frame 99"),
        (lambda e, c: e.ask(head_by_hand, c, 99, 1), ParameterError, "layers are 1 to"),
    ],
)
def test_errors_arrive_as_themselves(there, clips, ask, kind, words):
    with pytest.raises(kind, match=words) as raised:
        ask(there, clips[0])
    assert type(raised.value) is kind


def test_a_mistake_of_ours_is_not_called_a_lost_machine(there, clips):
    with pytest.raises(ZeroDivisionError) as raised:
        there.ask(lambda subject: 1 / 0, clips[0])
    assert not isinstance(raised.value, RemoteError)


def test_visitors_are_served_side_by_side_and_clips_where_they_are_known(there, clips):
    crowd = [clips[0]] * (3 * AT_ONCE)  # more than one replica takes at a time
    with ThreadPoolExecutor(len(crowd)) as visitors:
        processes = set(visitors.map(lambda clip: process_of(there, clip, 0.2), crowd))
    assert len(processes) == 2
    process_of(there, clips[1])
    time.sleep(1)  # until the front has heard who knows the clip
    answered = Counter(process_of(there, clips[1]) for _ in range(10))
    assert answered.most_common(1)[0][1] >= 8


def test_the_page_answers_over_it(cluster):
    def build(name: str, weights: Path | None, progress: object) -> RemoteEngine:
        return RemoteEngine(name, caller=cluster, weights=weights, decoding="apart")

    analyst = Analyst(build=build)
    visit = analyst.example(Visit(), "jumping-jacks.mp4")
    *_, last = views = list(analyst.show(visit))
    assert views[1].predictions["rows"]
    assert last.scores
    opened = analyst.learn.open(visit, Learn())
    event = {"chapter": 8, "key": opened.clip["key"], "serial": 1, "run": "forget"}
    steps = analyst.learn.answer(visit, opened.learn, event)
    first, second = next(steps).lesson[1], next(steps).lesson[1]
    steps.close()
    assert [len(part["forget"]["steps"]) for part in (first, second)] == [1, 2]


def test_a_replica_that_dies_costs_one_question(cluster, there, clips):
    clip = clips[2]

    def forever(subject) -> Iterator[int]:
        while True:
            yield os.getpid()
            time.sleep(0.05)

    parts = there.follow(forever, clip)
    os.kill(next(parts), signal.SIGKILL)
    with pytest.raises(RemoteError, match="please ask again"):
        for _ in parts:
            pass
    assert there.edit(clip, frames=[0, 1]).logits.shape == (len(there.info.labels),)
    end = time.monotonic() + PATIENCE_SECONDS
    while cluster.running() < 2 and time.monotonic() < end:
        time.sleep(0.2)
    assert cluster.running() == 2
