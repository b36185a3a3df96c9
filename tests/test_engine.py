"""The engine: same numbers by every way, one pass a clip, exact edits, bounded memory."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stam_core import Engine, StamError
from stam_core.device import has_native_bfloat16, pick_device, pick_dtype
from stam_core.errors import ParameterError, UnknownNameError, VideoError
from stam_core.explain import EXPLAINERS
from stam_core.gather import gather_evidence
from stam_core.models import load_model
from stam_core.models.described import metadata_of
from stam_core.record import Subject
from stam_core.video.encode import write_mp4
from tests.test_explain import INFO
from tests.toys import toy_stam


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    save_file(toy_stam().state_dict(), path, metadata=metadata_of(INFO))
    return path


@pytest.fixture
def engine(checkpoint):
    return Engine(str(checkpoint), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(3).integers(0, 256, (9, 40, 56, 3), dtype=np.uint8)


def test_prediction_is_that_of_the_model(engine, frames):
    clip = engine.open(frames)
    prediction = engine.predict(clip)
    x = torch.from_numpy(clip.frames.copy())
    assert x.shape == (4, 40, 56, 3)
    assert prediction.labels == ("a", "b", "c", "d", "e")
    assert prediction.probabilities.sum() == pytest.approx(1.0)
    assert [label for label, _ in prediction.top(2)] == [
        prediction.labels[i] for i in np.argsort(prediction.logits)[::-1][:2]
    ]
    from stam_core.video import preprocess

    x, _ = preprocess(clip.frames, engine.info.preprocessing)
    with torch.no_grad():
        plain = engine.model(x[None])[0].numpy()
    np.testing.assert_allclose(prediction.logits, plain, atol=1e-5)


def test_one_pass_answers_prediction_and_explanations(engine, frames, monkeypatch):
    passes = []
    embed = type(engine.model).embed_frames
    monkeypatch.setattr(
        type(engine.model), "embed_frames", lambda self, x: passes.append(1) or embed(self, x)
    )
    clip = engine.open(frames)
    engine.predict(clip)
    for method in ("temporal-attention", "temporal-rollout", "spatial-rollout", "rollout"):
        engine.explain(clip, method=method)
    engine.edit(clip, frames=[3, 2, 1, 0])
    assert len(passes) == 1
    engine.explain(clip, head_fusion="max")
    assert len(passes) == 2


def test_evidence_names_the_methods_of_its_scores(engine, frames):
    clip = engine.open(frames)
    bare = gather_evidence(engine, clip, clip_name="a clip")
    assert (bare.explanation, bare.method_title, bare.caveat, bare.bars_title) == (None, "", "", "")
    heat, bars = (engine.explain(clip, method=name) for name in ("rollout", "leave-one-out"))
    whole = gather_evidence(engine, clip, clip_name="a clip", explanation=heat, bars=bars)
    assert (whole.clip_name, whole.explanation, whole.bars) == ("a clip", heat, bars)
    assert whole.method_title == EXPLAINERS["rollout"].info.title
    assert whole.caveat == EXPLAINERS["rollout"].info.caveat
    assert whole.bars_title == EXPLAINERS["leave-one-out"].info.title
    assert whole.crop_box == engine.crop_box(clip)
    np.testing.assert_array_equal(whole.prediction.logits, engine.predict(clip).logits)


def test_an_edit_is_exactly_the_edited_clip(engine, frames):
    clip = engine.open(frames)
    order = [3, 1, 1, 0]
    edited = engine.edit(clip, frames=order)
    rebuilt = engine.open(clip.frames[order])
    np.testing.assert_allclose(edited.logits, engine.predict(rebuilt).logits, atol=2e-6)
    unchanged = engine.edit(clip, frames=[0, 1, 2, 3])
    np.testing.assert_allclose(unchanged.logits, engine.predict(clip).logits, atol=2e-6)


def test_kept_positions_leave_a_gap_and_closed_ones_do_not(engine, frames):
    clip = engine.open(frames)
    kept = engine.edit(clip, frames=[1, 3], positions="keep").logits
    closed = engine.edit(clip, frames=[1, 3], positions="close").logits
    assert np.abs(kept - closed).max() > 1e-4
    order_does_not_matter = engine.edit(clip, frames=[3, 1], positions="keep").logits
    np.testing.assert_allclose(kept, order_does_not_matter, atol=2e-6)
    assert np.isfinite(engine.edit(clip, frames=[]).logits).all()


@pytest.mark.parametrize(
    ("frames_asked", "message"),
    [
        ([4], "no frame 4: the clip has frames 0 to 3"),
        ([-1], "no frame -1"),
        ([0.5], "whole numbers"),
        ([True], "whole numbers"),
        ([0] * 5, "5 frames do not fit the model's 4 slots"),
        ([0] * 10_000, "at most 256 frames"),
    ],
)
def test_impossible_edits_are_refused(engine, frames, frames_asked, message):
    clip = engine.open(frames)
    with pytest.raises(ParameterError, match=message):
        engine.edit(clip, frames=frames_asked)


def test_a_target_is_a_label_or_an_index(engine, frames):
    clip = engine.open(frames)
    with pytest.raises(UnknownNameError, match=r"class 'z'\. Known: a, b"):
        engine.explain(clip, target="z")
    with pytest.raises(ParameterError, match="from 0 to 4, not 5"):
        engine.explain(clip, target=5)
    assert engine.explain(clip, target="b").target is None  # rollout knows no class


def test_files_and_arrays_give_the_same_clip_twice(engine, frames, tmp_path):
    path = tmp_path / "clip.mp4"
    write_mp4(path, np.repeat(np.repeat(frames, 2, 1), 2, 2), fps=10)
    first = engine.open(path)
    assert engine.open(path) is first  # remembered
    assert engine.open(path, span_seconds=(0.0, 0.4)) is not first
    write_mp4(path, np.repeat(np.repeat(frames[::-1], 2, 1), 2, 2), fps=10)
    assert engine.open(path).digest != first.digest  # the file changed under its name
    assert engine.open(frames).digest == engine.open(frames.copy()).digest


def test_errors_are_the_users_to_mend(engine, tmp_path, checkpoint):
    with pytest.raises(VideoError):
        engine.open(tmp_path / "absent.mp4")
    with pytest.raises(VideoError):
        engine.open(tmp_path)
    with pytest.raises(StamError):
        Engine("stam-17")
    with pytest.raises(StamError):
        Engine(str(tmp_path / "absent.safetensors"))
    with pytest.raises(ParameterError, match="auto"):
        pick_device("abacus")
    with pytest.raises(UnknownNameError, match="Known: auto, float32"):
        Engine(str(checkpoint), dtype="float8")


def test_a_clip_of_another_model_is_refused(engine, frames):
    clip = engine.open(frames)
    short = type(clip)(
        clip.frames[:2], clip.frame_indices[:2], clip.seconds[:2], clip.info, "other"
    )
    with pytest.raises(ParameterError, match="holds 2 frames and toy takes 4"):
        engine.predict(short)


def test_caches_stay_within_their_bound(checkpoint):
    engine = Engine(str(checkpoint), device="cpu", dtype="float32", cache_bytes=1_000_000)
    random = np.random.default_rng(0)
    for _ in range(12):
        clip = engine.open(random.integers(0, 256, (4, 40, 40, 3), dtype=np.uint8))
        engine.predict(clip)
    held = sum(subject.n_bytes for subject in engine._subjects.values())
    assert 0 < held == engine._subjects.currsize <= 500_000
    assert len(engine._subjects) < 12


def test_threads_do_not_disturb_each_other(engine):
    random = np.random.default_rng(0)
    clips = [engine.open(random.integers(0, 256, (4, 40, 40, 3), dtype=np.uint8)) for _ in range(6)]
    alone = [engine.explain(clip).patches for clip in clips]
    engine._subjects.clear()
    together: dict[int, np.ndarray] = {}

    def work(index):
        together[index] = engine.explain(clips[index]).patches

    threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(6):
        np.testing.assert_array_equal(together[index], alone[index])


def test_auto_takes_bfloat16_only_where_it_is_native():
    chosen = pick_dtype("auto", torch.device("cpu"))
    assert chosen == (torch.bfloat16 if has_native_bfloat16() else torch.float32)


def test_bfloat16_keeps_rows_and_answers_close(checkpoint, frames):
    exact = Engine(str(checkpoint), device="cpu", dtype="float32")
    rough = Engine(str(checkpoint), device="cpu", dtype="bfloat16")
    clip = exact.open(frames)
    np.testing.assert_allclose(rough.predict(clip).logits, exact.predict(clip).logits, atol=0.1)
    total = rough.explain(clip)
    assert total.patches.sum() + total.unattributed == pytest.approx(1.0, abs=1e-4)


def frames_and(subject: Subject, number: int, *, more: int = 0) -> int:
    return len(subject.x) + number + more


def logits_by_parts(subject: Subject, asked: list[str]) -> Iterator[float]:
    asked.append("begun")
    logits = subject.trace().logits

    def rest() -> Iterator[float]:
        for logit in logits.tolist():
            asked.append("part")
            yield logit

    return rest()


def test_a_question_is_asked_of_the_clip_before_its_model(engine, frames):
    clip = engine.open(frames)
    assert engine.ask(frames_and, clip, 3, more=10) == clip.num_frames + 13


def test_an_answer_in_parts_leaves_the_model_free_in_between(engine, frames):
    clip, asked = engine.open(frames), list[str]()
    parts = engine.follow(logits_by_parts, clip, asked)
    first = next(parts)
    assert asked == ["begun", "part"]
    with ThreadPoolExecutor(1) as other:  # whose thread the lock does not know
        prediction = other.submit(engine.predict, clip).result(timeout=60)
    assert [first, *parts] == pytest.approx(prediction.logits.tolist())


def test_a_model_that_is_loaded_already_answers_the_same(checkpoint, engine, frames):
    clip = engine.open(frames)
    other = Engine(load_model(str(checkpoint)), device="cpu", dtype="float32")
    assert other.info == engine.info
    np.testing.assert_array_equal(other.predict(clip).logits, engine.predict(clip).logits)


@pytest.mark.parametrize(
    "error", [UnknownNameError("class", "fly", ["run"]), ParameterError("Too many."), StamError()]
)
def test_errors_travel_as_they_are(error):
    error.hint = "kept"
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.hint) == (str(error), "kept")
