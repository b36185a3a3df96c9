"""An engine that asks replicas: same answers, same errors; what travels can travel.

Here the replicas are in this process, with everything pickled on its way; on Ray Serve they are in
`test_ray_serve.py`.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from app.analysis import Analyst
from app.backstage import Backstage
from app.learn.desk import LESSONS
from app.learn.state import Learn
from app.serving.cluster import Cluster, read_replicas
from app.serving.health import Health
from app.serving.jobs import Jobs
from app.serving.settings import ServiceSettings
from app.visit import Visit
from stam_core import Engine
from stam_core.edits import Edit, Slot
from stam_core.errors import ParameterError, StamError, UnknownNameError
from stam_core.models.described import metadata_of
from stam_core.record import Subject
from stam_core.remote import RemoteEngine
from stam_core.remote.ray_serve import import_serve, start_serve
from stam_core.remote.replica import Replica
from stam_core.remote.work import Refused, Work
from tests.test_explain import INFO
from tests.toys import toy_stam


class Pickled:
    """A caller whose replica is here, but gets and gives bytes alone."""

    def __init__(self) -> None:
        self.things: list[bytes] = []
        self.fetched: list[int] = []
        self.sizes: list[int] = []
        self.closed = 0
        self.replica = Replica(self._fetch, device="cpu")

    def _fetch(self, place: int) -> Any:
        self.fetched.append(place)
        return pickle.loads(self.things[place])

    def put(self, thing: object) -> int:
        self.things.append(pickle.dumps(thing))
        return len(self.things) - 1

    def _arrived(self, work: Work) -> Work:
        data = pickle.dumps(work)
        self.sizes.append(len(data))
        return pickle.loads(data)

    def call(self, work: Work) -> Any:
        return unpacked(self.replica.answer(self._arrived(work)))

    def parts(self, work: Work) -> Iterator[Any]:
        steps = self.replica.parts(self._arrived(work))
        try:
            for part in steps:
                yield unpacked(part)
        finally:
            steps.close()
            self.closed += 1


def unpacked(answer: Any) -> Any:
    found = pickle.loads(pickle.dumps(answer))
    if isinstance(found, Refused):
        raise found.error
    return found


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    save_file(toy_stam().state_dict(), path, metadata=metadata_of(INFO))
    return path


@pytest.fixture(scope="module")
def here(checkpoint):
    return Engine(str(checkpoint), device="cpu")


@pytest.fixture
def caller():
    return Pickled()


@pytest.fixture
def there(checkpoint, caller):
    return RemoteEngine(str(checkpoint), caller=caller)


@pytest.fixture(scope="module")
def clips(here):
    frames = np.random.default_rng(3).integers(0, 256, (2, 9, 40, 56, 3), dtype=np.uint8)
    return [here.open(film) for film in frames]


def shift(subject: Subject, by: float) -> torch.Tensor:
    return subject.trace().logits + by


def refuse(subject: Subject) -> None:
    raise UnknownNameError("answer", "none", ["one", "two"])


def countdown(subject: Subject, start: int) -> Iterator[int]:
    for number in range(start, 0, -1):
        if number == 2:
            raise ParameterError("Two is too few. Begin higher.")
        yield number


def test_it_says_of_its_model_what_an_engine_says(here, there):
    assert there.info == here.info
    assert there.report.sha256 == here.report.sha256
    assert (str(there.device), there.dtype) == (str(here.device), here.dtype)
    frames = np.zeros((9, 40, 56, 3), np.uint8)
    assert there.open(frames).digest == here.open(frames).digest
    assert there.crop_box(there.open(frames)) == here.crop_box(here.open(frames))


def test_the_answers_are_the_engines(here, there, clips):
    first, second = clips
    assert there.target(first) == here.target(first)
    edit = Edit((Slot(1, clip=1), Slot(0), Slot(2, kept=False)), removal="hold")
    for engine_answers in [
        lambda engine: engine.predict(first),
        lambda engine: engine.edit(first, frames=[2, 0], positions="keep"),
        lambda engine: engine.assemble([first, second], edit),
    ]:
        np.testing.assert_array_equal(engine_answers(there).logits, engine_answers(here).logits)
    torch.testing.assert_close(there.ask(shift, first, by=0.5), here.ask(shift, first, by=0.5))


@pytest.mark.parametrize("method", ["rollout", "leave-one-out", "shapley", "integrated-gradients"])
def test_explanations_are_the_engines(here, there, clips, method):
    theirs = list(there.stream(clips[0], method=method, target="b"))
    ours = list(here.stream(clips[0], method=method, target="b"))
    assert len(theirs) == len(ours)
    for one, other in zip(theirs, ours, strict=True):
        assert (one.done, one.target, one.parameters) == (
            other.done,
            other.target,
            other.parameters,
        )
        for name in ("frames", "patches"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        (lambda e, c: e.explain(c, method="no"), UnknownNameError, "no method 'no'"),
        (lambda e, c: e.stream(c, method="shapley", pairs=-1), ParameterError, "pairs"),
        (lambda e, c: e.edit(c, frames=[99]), ParameterError, "no frame 99"),
        (lambda e, c: e.assemble([], Edit(())), ParameterError, "needs a clip"),
        (lambda e, c: e.target(c, "z"), UnknownNameError, "no class 'z'"),
        (lambda e, c: e.ask(refuse, c), UnknownNameError, "Known: one, two"),
        (lambda e, c: list(e.follow(countdown, c, 4)), ParameterError, "Two is too few"),
    ],
)
def test_errors_arrive_as_themselves(here, there, clips, ask, kind, words):
    messages = []
    for engine in (here, there):
        with pytest.raises(kind, match=words) as raised:
            ask(engine, clips[0])
        assert type(raised.value) is kind
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_parts_come_before_an_error(there, clips):
    parts = there.follow(countdown, clips[0], 4)
    assert [next(parts), next(parts)] == [4, 3]


def test_clips_and_models_are_fetched_once_and_questions_are_small(there, caller, clips):
    first, second = clips
    there.predict(first)
    for frame in range(4):
        there.edit(first, frames=[frame])
    there.assemble([first, second], Edit((Slot(0, clip=1),)))
    assert caller.fetched == [0, 1, 2]  # the model, a clip, another
    assert max(caller.sizes) < 2000
    there.predict(first)
    assert len(caller.sizes) == 7  # facts, predict, 4 edits, assemble: a prediction is kept


def test_what_was_pushed_out_is_put_again(there, caller, clips, monkeypatch):
    there.edit(clips[0], frames=[0])
    before = len(caller.things)
    there.edit(clips[0], frames=[0])
    assert len(caller.things) == before
    there._sent.clear()
    caller.replica._clips.clear()
    there.edit(clips[0], frames=[0])
    assert len(caller.things) == before + 1


def test_closing_a_stream_closes_it_there(there, caller, clips):
    stream = there.stream(clips[0], method="shapley")
    next(stream)
    assert caller.closed == 0
    stream.close()
    assert caller.closed == 1


def test_a_question_of_no_module_is_told_before_it_travels(there, clips):
    with pytest.raises((pickle.PicklingError, AttributeError)):
        there.ask(lambda subject: 1, clips[0])


# --- the page over such engines ---


@pytest.fixture(scope="module")
def analysts() -> list[Analyst]:
    caller = Pickled()

    def build(name: str, weights: object, progress: object) -> RemoteEngine:
        del weights, progress
        return RemoteEngine(name, caller=caller, decoding="apart")

    return [Analyst(), Analyst(build=build)]


def both(analysts: list[Analyst], ask: Callable[[Analyst], Any]) -> list[Any]:
    return [ask(analyst) for analyst in analysts]


def same(one: Any, other: Any) -> bool:
    """Equal to within roundings, whatever hangs in it; times and keys apart."""
    if isinstance(one, dict):
        times = {"seconds", "took"}
        return one.keys() == other.keys() and all(
            name in times or same(value, other[name]) for name, value in one.items()
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == pytest.approx(other, abs=1e-4) if isinstance(one, float) else one == other


def test_inspect_shows_the_same(analysts):
    def show(analyst: Analyst) -> Any:
        visit = analyst.example(Visit(), "jumping-jacks.mp4")
        *_, last = views = list(analyst.show(visit))
        return views[1].predictions, last.scores, views[1].model_facts

    here, there = both(analysts, show)
    assert here[0] == there[0]
    assert here[2] == there[2]
    assert here[1].keys() == there[1].keys()


ASKED = [
    *((number, {}) for number in sorted(LESSONS)),
    (7, {"reveal": True}),
    (8, {"run": "black"}),
    (8, {"run": "forget"}),
]


@pytest.mark.parametrize(("number", "data"), ASKED)
def test_lessons_show_the_same(analysts, number, data):
    def lesson(analyst: Analyst) -> Any:
        opened = analyst.learn.open(Visit(), Learn())
        event = {"chapter": number, "key": opened.clip["key"], "serial": 1, "first": True, **data}
        steps = analyst.learn.answer(Visit(), opened.learn, event)
        first = next(steps).lesson[1]
        steps.close()
        return first

    here, there = both(analysts, lesson)
    assert same(here, there)
    assert "missing" not in there


# --- what the operator chooses ---


@pytest.mark.parametrize(
    ("words", "found"), [("", None), ("2", (2, 2)), ("1-4", (1, 4)), (" 3 ", (3, 3))]
)
def test_replicas_are_a_number_or_a_range(words, found):
    assert read_replicas(words) == found


@pytest.mark.parametrize("words", ["0", "4-1", "two", "-1", "1-", "99999", "1-2-3"])
def test_other_replicas_are_refused(words):
    with pytest.raises(ParameterError, match="like 2 or a range like 1-4"):
        read_replicas(words)


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("app.serving.cluster.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install -r requirements-ray\.txt"):
        Cluster(ServiceSettings(ray="local"))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError, match=r"pip install -r requirements-ray\.txt"):
        import_serve()


def test_rays_client_is_refused():
    with pytest.raises(StamError, match="ray start --address"):
        start_serve("ray://somewhere:10001")


def test_the_environment_chooses_too():
    found = ServiceSettings.from_environment({"STAM_RAY": "auto", "STAM_REPLICAS": "1-3"})
    assert (found.ray, found.replicas) == ("auto", "1-3")
    assert ServiceSettings.from_environment({}).ray == ""


class Counted:
    """Replicas of which this many run."""

    count = 2
    stopped = False

    def running(self) -> int:
        return self.count

    def stop(self) -> None:
        self.stopped = True


def test_health_tells_when_no_replica_runs(monkeypatch):
    monkeypatch.setattr("app.serving.cluster.find_spec", lambda name: name)
    monkeypatch.setattr("app.serving.cluster.LOOK_SECONDS", 0.01)
    replicas = Counted()
    monkeypatch.setattr("stam_core.remote.ray_serve.start_serve", lambda *_, **__: replicas)
    cluster = Cluster(ServiceSettings(ray="local", replicas="2"))
    backstage, jobs = Backstage(cluster), Jobs(60)
    health = Health(backstage, None, jobs, began=0.0)
    assert health.state == "waking"
    assert cluster._started() is replicas
    backstage.state = "ready"
    assert health.state == "ready"
    for replicas.count, state in ((0, "unreachable"), (1, "ready")):
        end = time.monotonic() + 10
        while health.state != state and time.monotonic() < end:
            time.sleep(0.01)
        assert health.state == state
    replicas.count = 0
    jobs.close()
    assert health.state == "stopping"
    cluster.stop()
    assert replicas.stopped
