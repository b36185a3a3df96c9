"""The page's handlers and data, without a browser."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import app.session as session_module
from app import controls, guard, payload
from app.analysis import Analyst, View
from app.backstage import Backstage
from app.components import ExamplePicker, FactSheet, FrameStrip, ParameterPanel, Predictions
from app.components.base import FOLDER, SHARED_FOLDER, packed
from app.events import event_data
from app.inspect import model_choice, model_part
from app.inspect.model_choice import ModelDesk
from app.inspect.model_part import ModelHandlers, build_model_choice, build_model_offer
from app.inspect.tab import build_clip_sources, build_inspect_tab
from app.session import Engines, Sources
from app.ui import build_page, launch_settings
from app.visit import EMBEDDED, Visit
from stam_core.errors import (
    DownloadError,
    ParameterError,
    SamplingError,
    StamError,
    UnknownNameError,
    VideoError,
    WeightsError,
)
from stam_core.explain import EXPLAINERS, parameter_specs
from stam_core.limits import VideoLimits
from stam_core.models import model_info
from stam_core.render import strip_data
from stam_core.types import Clip, CropBox, Explanation, Prediction, VideoInfo

ROOT = Path(__file__).resolve().parent.parent
TITLES = {"a": "Method A", "b": "Method B"}


def make_clip(frames: np.ndarray, indices: list[int] | None = None) -> Clip:
    count, height, width = frames.shape[:3]
    info = VideoInfo(width, height, 0, 25.0, 50, True, 2.0, "h264", "mp4", "decord")
    return Clip(
        frames=frames,
        frame_indices=np.array(indices or range(count), np.int64),
        seconds=np.arange(count) / 25,
        info=info,
        digest=f"digest of {count} {height} {width}",
        notes=("Frames repeat.",),
    )


def make_explanation(**fields: Any) -> Explanation:
    values = {
        "method": "a", "target": None, "frames": None, "patches": None, "signed": False,
        "unattributed": None, "parameters": {}, "passes": 1.0, "seconds": 0.0,
    }  # fmt: skip
    return Explanation(**{**values, **fields})


# --- payload ---


def test_heat_travels_as_bytes_within_each_frames_own_range() -> None:
    patches = np.array([[[0.0, 0.1], [0.2, 0.4]], [[0.001, 0.002], [0.002, 0.003]]], np.float32)
    sent = payload.heat_payload(make_explanation(patches=patches), TITLES)
    levels = np.frombuffer(base64.b64decode(sent["data"]), np.uint8).reshape(2, 2, 2)
    assert levels.tolist() == [[[0, 64], [128, 255]], [[0, 128], [128, 255]]]
    low, high = np.array(sent["low"]), np.array(sent["high"])
    again = low[:, None, None] + (high - low)[:, None, None] * levels / 255
    np.testing.assert_allclose(again, patches, atol=0.4 / 255 / 2 + 1e-7)
    assert sent["grid"] == [2, 2]
    assert sent["title"] == "Method A"


def test_an_even_map_is_sent_without_dividing_by_zero() -> None:
    sent = payload.heat_payload(
        make_explanation(patches=np.full((1, 2, 2), 0.25, np.float32)), TITLES
    )
    assert sent["low"] == sent["high"] == [0.25]
    assert base64.b64decode(sent["data"]) == bytes(4)


def test_bars_tell_the_equal_share_only_where_they_are_shares() -> None:
    frames = np.array([0.5, 0.3], np.float32)
    shares = payload.bars_payload(make_explanation(frames=frames, unattributed=0.2), TITLES)
    assert shares["share"]
    assert shares["equal"] == pytest.approx(0.4)
    signed = payload.bars_payload(make_explanation(frames=frames - 0.4, signed=True), TITLES)
    assert not signed["share"]
    assert signed["equal"] is None
    about_a_class = payload.bars_payload(make_explanation(frames=frames, target=3), TITLES)
    assert not about_a_class["share"]


def test_scores_state_each_methods_unattributed_part_once() -> None:
    both = make_explanation(
        frames=np.array([0.45, 0.4], np.float32),
        patches=np.full((2, 1, 1), 0.4, np.float32),
        unattributed=0.15,
    )
    clip = make_clip(np.zeros((2, 4, 4, 3), np.uint8))
    sent = payload.scores_payload(clip, both, both, TITLES)
    assert [line for line in sent["reading"] if "unattributed" in line] == [
        strip_data.UNATTRIBUTED.format(title="Method A", share="15.0 %")
    ]
    assert sent["key"] == clip.digest


def test_one_method_set_two_ways_states_both_unattributed_parts() -> None:
    patches = np.full((2, 1, 1), 0.4, np.float32)
    heat = make_explanation(patches=patches, unattributed=0.2)
    bars = make_explanation(frames=np.array([0.4, 0.3], np.float32), unattributed=0.3)
    sent = payload.scores_payload(make_clip(np.zeros((2, 4, 4, 3), np.uint8)), heat, bars, TITLES)
    assert sent["reading"][:2] == [
        strip_data.UNATTRIBUTED.format(title="Method A (heat map)", share="20.0 %"),
        strip_data.UNATTRIBUTED.format(title="Method A (bars)", share="30.0 %"),
    ]


def test_the_remembered_picture_does_not_keep_the_clip() -> None:
    clip = make_clip(np.full((2, 7, 9, 3), 90, np.uint8))
    picture = payload.frames_picture(clip)
    assert payload.frames_picture(make_clip(np.full((2, 7, 9, 3), 90, np.uint8))) is picture
    watched = weakref.ref(clip)
    del clip
    assert watched() is None


def picture_of(address: str) -> Image.Image:
    head, data = address.split(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_all_frames_travel_in_one_picture_in_their_order() -> None:
    frames = np.zeros((6, 32, 48, 3), np.uint8)
    frames[..., :] = (40 * np.arange(6))[:, None, None, None]
    address, columns, tile = payload.frames_picture(make_clip(frames))
    sheet = np.asarray(picture_of(address).convert("L"), np.int64)
    assert (columns, tile) == (3, (48, 32))
    assert sheet.shape == (64, 144)
    centres = [sheet[16 + 32 * (i // 3), 24 + 48 * (i % 3)] for i in range(6)]
    np.testing.assert_allclose(centres, 40 * np.arange(6), atol=3)


@pytest.mark.parametrize("shape", [(16, 256, 455), (64, 256, 455), (16, 20, 2000), (16, 3000, 30)])
def test_the_picture_stays_small_even_for_noise_and_odd_shapes(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    soft = np.asarray(noise // 4 + 96, np.uint8)
    address, columns, tile = payload.frames_picture(make_clip(soft))
    picture = picture_of(address)
    assert picture.width == columns * tile[0]
    assert picture.width * picture.height <= payload.SPRITE_PIXELS * 1.2
    assert max(tile) <= payload.LONGEST_SIDE
    assert len(address) < payload.SPRITE_BYTES * 4 / 3 + 100


def test_the_clips_facts_are_told_plainly() -> None:
    clip = make_clip(np.zeros((4, 30, 40, 3), np.uint8), indices=[0, 0, 1, 1])
    sent = payload.clip_payload(clip, CropBox(0.125, 0, 0.75, 1), "<b>name</b>.mp4")
    assert sent["facts"] == [
        "<b>name</b>.mp4",  # text for textContent; never HTML
        "40 × 30 px",
        "25 frames/s",
        "2.0 s",
        "2 of 50 frames used",
        strip_data.CROP_NOTE,
    ]
    assert sent["notes"] == ["Frames repeat."]
    assert sent["crop"] == {"left": 0.125, "top": 0, "width": 0.75, "height": 1}
    whole = payload.clip_payload(clip, CropBox(0, 0, 1, 1), "clip")
    assert strip_data.CROP_NOTE not in whole["facts"]


def test_predictions_come_likeliest_first() -> None:
    logits = np.log(np.array([0.1, 0.4, 0.2, 0.05, 0.15, 0.1], np.float32))
    prediction = Prediction(logits, np.exp(logits), ("a", "b", "c", "d", "e", "f"))
    rows = payload.prediction_payload(prediction, model_info("stam-16"))["rows"]
    assert [row["label"] for row in rows] == ["b", "c", "e", "a", "f"]
    assert rows[0]["probability"] == pytest.approx(0.4)


def test_palettes_are_256_colours_and_no_rainbow() -> None:
    sent = payload.palettes()
    assert set(sent) == {"cividis", "viridis", "inferno", "blue-orange"}
    assert {len(base64.b64decode(table)) for table in sent.values()} == {768}


# --- controls ---


@pytest.mark.parametrize("place", ["patches", "frames"])
def test_panels_offer_every_method_of_the_registry_with_its_parameters(place: Any) -> None:
    info = model_info("stam-16")
    expected = [name for name, method in EXPLAINERS.items() if place in method.info.outputs]
    assert controls.methods_for(place) == expected
    for name in expected:
        panel = controls.method_panel(place, name, {}, info)
        assert [choice["name"] for choice in panel["choices"]] == expected
        assert [entry["name"] for entry in panel["parameters"]] == [
            spec.name for spec in parameter_specs(name, info)
        ]
        assert EXPLAINERS[name].info.caveat in panel["notes"]


def test_a_methods_parameters_come_back_checked() -> None:
    info = model_info("stam-16")
    data = {"choice": "spatial-rollout", "parameters": {"residual": 0.25, "head_fusion": "max"}}
    assert controls.read_method("patches", data, info) == (
        "spatial-rollout",
        {"residual": 0.25, "head_fusion": "max"},
    )


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({}, UnknownNameError, "no method"),
        ({"choice": "temporal-attention"}, UnknownNameError, "no method"),
        ({"choice": ["spatial-rollout"]}, UnknownNameError, "no method"),
        (
            {"choice": "spatial-rollout", "parameters": {"residual": 7}},
            ParameterError,
            "residual must be",
        ),
        (
            {"choice": "spatial-rollout", "parameters": {"residual": "nan"}},
            ParameterError,
            "residual must be",
        ),
        (
            {"choice": "spatial-rollout", "parameters": {"__class__": 1}},
            UnknownNameError,
            "no parameter",
        ),
        (
            {"choice": "spatial-rollout", "parameters": {"start_layer": 99}},
            ParameterError,
            "start_layer must be",
        ),
    ],
)
def test_forged_method_data_is_refused(
    data: dict[str, Any], error: type[StamError], message: str
) -> None:
    with pytest.raises(error, match=message):
        controls.read_method("patches", data, model_info("stam-16"))


def test_sampling_comes_back_as_policy_and_span() -> None:
    whole = {"choice": "uniform", "parameters": {"start": 0.0, "end": 2.0}}
    assert controls.read_sampling(whole, 2.0) == ("uniform", None)
    part = {"choice": "official", "parameters": {"start": 0.5, "end": 1}}
    assert controls.read_sampling(part, 2.0) == ("official", (0.5, 1.0))


@pytest.mark.parametrize(
    "parameters",
    [{"start": 1.0, "end": 1.0}, {"start": 2, "end": 1}, {"start": "0"}, {"end": float("nan")}],
)
def test_an_empty_span_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(SamplingError, match="ends before it begins"):
        controls.read_sampling({"choice": "uniform", "parameters": parameters}, 2.0)
    with pytest.raises(UnknownNameError, match="sampling policy"):
        controls.read_sampling({"choice": {}}, 2.0)


# --- session ---


def test_sources_are_unguessable_bounded_and_say_when_they_are_gone(tmp_path: Path) -> None:
    sources = Sources()
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    keys = [sources.add(clip, "clip") for _ in range(3)]
    assert len(set(keys)) == 3
    assert min(map(len, keys)) >= 20
    assert sources.get(keys[0]).path == clip
    with pytest.raises(VideoError, match="Open a clip or choose"):
        sources.get(None)
    with pytest.raises(VideoError, match="no longer kept"):
        sources.get("guessed")
    clip.unlink()
    with pytest.raises(VideoError, match="no longer kept"):
        sources.get(keys[0])


def test_the_oldest_source_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SOURCES_KEPT", 2)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    sources = Sources()
    keys = [sources.add(clip, "clip") for _ in range(3)]
    with pytest.raises(VideoError, match="no longer kept"):
        sources.get(keys[0])
    assert sources.get(keys[2]).name == "clip"


def test_a_visitor_who_sends_many_clips_loses_their_own_oldest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "OWN_KEPT", 2)
    clips = [tmp_path / f"{number}.mp4" for number in range(4)]
    for clip in clips:
        clip.write_bytes(b"x")
    sources = Sources()
    other = sources.add(clips[0], "the same file", "another")
    keys = [sources.add(clip, clip.name, "me") for clip in clips]
    for key in keys[:2]:
        with pytest.raises(VideoError, match="no longer kept"):
            sources.get(key)
    assert [sources.get(key).path for key in keys[2:]] == clips[2:]
    assert sources.get(other).path == clips[0]  # another's file stays, though it is the same one
    assert not clips[1].exists()


def test_a_visitor_who_sends_large_clips_loses_their_own_oldest(tmp_path: Path) -> None:
    clips = [tmp_path / f"{number}.mp4" for number in range(4)]
    for clip, size in zip(clips, (40, 40, 40, 200), strict=True):
        clip.write_bytes(bytes(size))
    sources = Sources(own_bytes=100)
    other = sources.add(clips[0], "theirs", "another")
    keys = [sources.add(clip, clip.name, "me") for clip in (*clips[:2], clips[1])]
    assert sources.get(keys[0]).path == clips[0]  # 80 bytes: the same file again is no second one
    sources.add(clips[2], "third", "me")
    with pytest.raises(VideoError, match="no longer kept"):
        sources.get(keys[0])
    assert sources.get(keys[1]).path == clips[1]
    newest = sources.add(clips[3], "too large by itself", "me")
    assert sources.get(newest).path == clips[3]
    assert sources.get(other).path == clips[0]
    assert [clip.exists() for clip in clips] == [True, False, False, True]


def test_clips_of_the_program_outlive_any_number_of_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "SOURCES_KEPT", 2)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    sources = Sources()
    key = sources.keep(clip, "example")
    for _ in range(5):
        sources.add(clip, "upload")
    assert sources.get(key).name == "example"


class FakeEngine:
    """Takes a moment to build, as a real one does; counts how many were built."""

    built: list[str]

    def __init__(self, model: str, *, progress: Any = None, **_: Any) -> None:
        type(self).built.append(model)
        for step in range(20):
            time.sleep(0.01)
            if progress is not None:
                progress("fetching", step / 20)
        if model == "stam-64":
            raise DownloadError("no network")
        self.info = SimpleNamespace(name=model)


@pytest.fixture
def fake_engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    FakeEngine.built = []
    monkeypatch.setattr(session_module, "Engine", FakeEngine)
    return Engines()


def test_visitors_share_a_model_and_none_is_built_twice(fake_engines: Engines) -> None:
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(fake_engines.get("stam-8"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FakeEngine.built == ["stam-8"]
    assert len(set(map(id, found))) == 1


def test_only_a_few_models_are_kept_and_always_the_embedded_one(
    fake_engines: Engines, tmp_path: Path
) -> None:
    first = fake_engines.get(EMBEDDED)
    for number in range(session_module.ENGINES_KEPT + 2):
        file = tmp_path / f"{number}.safetensors"
        file.write_bytes(bytes([number]))
        fake_engines.get(fake_engines.add_file(EMBEDDED, file))
    assert fake_engines.get(EMBEDDED) is first
    assert len(fake_engines._ready) == session_module.ENGINES_KEPT + 1


def test_a_checkpoint_that_went_away_is_told(fake_engines: Engines, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        fake_engines.add_file(EMBEDDED, tmp_path / "absent.pth")
    with pytest.raises(WeightsError, match="no longer kept"):
        fake_engines.get("file:forged:0123")


# --- choosing a model ---


def test_fetching_reports_progress_until_the_model_is_ready(fake_engines: Engines) -> None:
    cards = list(ModelDesk(fake_engines).fetch("stam-16"))
    assert cards
    assert all(0 <= card["progress"] <= 1 for card in cards)
    assert FakeEngine.built == ["stam-16"]


def test_a_failed_fetch_is_raised_in_the_handler(fake_engines: Engines) -> None:
    with pytest.raises(DownloadError, match="no network"):
        list(ModelDesk(fake_engines).fetch("stam-64"))


def test_a_visitor_who_leaves_stops_the_fetch(
    fake_engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_choice, "TICK_SECONDS", 0.02)
    fetching = ModelDesk(fake_engines).fetch("stam-32")
    next(fetching)
    fetching.close()
    time.sleep(0.4)
    assert "stam-32" not in fake_engines._ready


def test_a_models_terms_are_on_its_card() -> None:
    card = ModelDesk(Engines()).card("stam-16")
    rows = dict(card["rows"])
    assert rows["Source"].endswith("/stam_16.pth")
    assert rows["Licence"] == "Apache-2.0"
    assert rows["Size"] == "477 MB"
    assert "79.3 % top-1" in rows["Published"]


@pytest.mark.parametrize("name", ["stam-7", None, ["stam-8"], "file:x:y"])
def test_forged_model_names_are_refused(name: object) -> None:
    with pytest.raises(UnknownNameError, match="no model"):
        ModelDesk(Engines()).is_ready(name)


def test_a_home_folder_that_is_not_there_is_told(fake_engines: Engines) -> None:
    with pytest.raises(WeightsError, match="no such home folder"):
        ModelDesk(fake_engines).open_file(EMBEDDED, "~nobody-of-that-name/stam_16.pth")


@pytest.fixture
def handlers(fake_engines: Engines) -> ModelHandlers:
    desk = ModelDesk(fake_engines)
    analyst = SimpleNamespace(models=desk, with_model=lambda visit, key: replace(visit, model=key))
    with gr.Blocks():
        chooser, offer = build_model_choice(), build_model_offer(local=True)
    return ModelHandlers(
        chooser,
        offer,
        cast("Any", SimpleNamespace(analyst=analyst)),
        lambda visit, _: iter([visit]),
    )


def test_a_fetched_model_meets_the_clip_that_is_in_view_by_then(
    handlers: ModelHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for changes in handlers.fetch(Visit(source="first clip"), "stam-16"):
        assert set(changes) == {handlers.offer.card}  # nothing but the progress
    monkeypatch.setattr(model_choice, "weights_at_hand", lambda info: Path(info.name))
    monkeypatch.setattr(ModelDesk, "choices", lambda *_: [])
    *_, shown = handlers.choose(Visit(source="second clip"), "stam-16", cast("Any", None))
    assert shown == Visit(source="second clip", model="stam-16")


def test_a_model_that_cannot_be_had_leaves_the_choice(
    handlers: ModelHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(model_part, "warn", told.append)
    monkeypatch.setattr(ModelDesk, "stays", lambda _self, _in_use, problem: f"stays: {problem}")
    *_, last = handlers.fetch(Visit(), "stam-64")
    assert last[handlers.chooser.choice]["value"] == EMBEDDED
    assert told == ["stays: no network"]


# --- guard ---


def run_guarded(error: Exception) -> Iterator[str]:
    def handler() -> Iterator[str]:
        yield "frames"
        raise error

    return guard.guarded(handler)()


def test_a_users_error_becomes_a_message_taken_literally() -> None:
    answers = run_guarded(VideoError("<img src=x> is no video. Choose another."))
    assert next(answers) == "frames"
    with pytest.raises(gr.Error, match="&lt;img src=x&gt; is no video"):
        next(answers)


def test_a_bug_becomes_a_sentence_and_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    answers = run_guarded(KeyError("secret"))
    next(answers)
    with pytest.raises(gr.Error, match="Something went wrong") as caught:
        next(answers)
    assert "secret" not in str(caught.value)
    assert "KeyError" in caplog.text


def test_an_answer_that_fails_is_told_as_one_of_the_queue_is() -> None:
    def complain() -> None:
        raise VideoError("no <b>video</b>")

    with pytest.raises(gr.Error, match="no &lt;b&gt;video"):
        guard.guarded_answer(complain)()


def test_of_many_answers_at_once_the_last_is_told_to_come_back() -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def answer() -> str:
        begun.release()
        assert go_on.wait(10)
        return "answered"

    asked = guard.guarded_answer(answer, at_once=2)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(asked) for _ in range(2)]
        for _ in waiting:
            assert begun.acquire(timeout=10)
        with pytest.raises(gr.Error, match="Too many people"):
            asked()
        go_on.set()
        assert [found.result(10) for found in waiting] == ["answered", "answered"]
    assert asked() == "answered"


@pytest.mark.parametrize("sent", [None, [], "x", 3])
def test_event_data_is_always_a_record(sent: object) -> None:
    assert event_data(gr.EventData(None, sent)) == {}


# --- the page ---


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    return build_page(Backstage())


def test_the_page_is_laid_out_without_loading_the_core() -> None:
    heavy = "{'torch', 'stam_core.engine', 'timm'}"  # names, errors and limits cost nothing
    code = f"import sys, app.ui; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


QUEUES = {"model", "choice", "effects", "fetch", "trial"}


def test_every_event_is_private_and_waits_in_a_bounded_queue(page: gr.Blocks) -> None:
    events = page.fns.values()
    assert len(list(events)) >= 12
    for event in events:
        assert event.api_visibility == "private", event.name
        if event.queue:
            assert event.concurrency_id in QUEUES, event.name
    assert page._queue.max_size == 32
    assert not page.api_open
    assert page.delete_cache == (3600, 3600)


def test_the_page_states_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    def stated() -> str:
        with gr.Blocks():
            return str(build_clip_sources().examples.props["words"])

    assert "50 MB, 4 hours, 37.7 megapixels a frame and 100,000 decoded frames" in stated()
    small = VideoLimits(
        max_upload_mib=7, max_seconds=60, max_pixels=640 * 480, max_decoded_frames=900
    )
    monkeypatch.setattr("stam_core.limits.default_limits", lambda: small)
    assert "7 MB, 0.0167 hours, 0.307 megapixels a frame and 900 decoded frames" in stated()


def test_the_page_is_served_privately() -> None:
    settings = launch_settings("127.0.0.1", 7860)
    expected = {
        "run_history": False, "max_file_size": "50mb", "show_error": False, "strict_cors": True,
        "enable_monitoring": False, "ssr_mode": False, "share": False, "server_name": "127.0.0.1",
        "_frontend": False,
    }  # fmt: skip
    assert expected.items() <= settings.items()
    assert "allowed_paths" not in settings


def test_our_scripts_never_write_html_and_templates_hold_no_code() -> None:
    scripts = [*FOLDER.rglob("*.js"), *SHARED_FOLDER.glob("*.js")]
    assert {"strip.js", "panel.js"} <= {script.name for script in scripts}
    for script in scripts:
        code = script.read_text(encoding="utf-8")
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ):
            assert forbidden not in code, f"{forbidden} in {script.name}"
    for component in (FrameStrip, Predictions, FactSheet, ExamplePicker, ParameterPanel):
        part: Any = component(words={}, render=False)
        for template in (part.html_template, part.css_template):
            assert "${" not in template
            assert "{{" not in template


def test_help_explains_the_program_and_the_default_is_this_computer_only() -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRADIO_", "SPACE_"))}
    done = subprocess.run(
        [sys.executable, "app.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, env=clean, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--port" in done.stdout
    assert "127.0.0.1" in done.stdout


# --- with the embedded model ---


def test_every_example_is_there_and_can_be_opened(analyst: Analyst) -> None:
    assert 6 <= len(analyst.examples) <= 12
    cards = analyst.example_cards["items"]
    assert [card["name"] for card in cards] == list(analyst.examples)
    assert all(card["picture"].startswith("data:image/jpeg") for card in cards)


@pytest.fixture
def first_visit(analyst: Analyst) -> Visit:
    return analyst.example(Visit(), next(iter(analyst.examples)))


def test_frames_come_first_then_what_the_model_makes_of_them(
    analyst: Analyst, first_visit: Visit
) -> None:
    frames, result = list(analyst.show(first_visit))
    assert frames.clip is not None
    assert frames.scores is None
    assert len(frames.clip["frames"]) == 16
    assert result.scores is not None
    assert result.predictions is not None
    assert result.scores["key"] == frames.clip["key"]
    assert len(result.scores["bars"]["values"]) == 16
    assert result.scores["heat"]["title"] == EXPLAINERS["spatial-rollout"].info.title
    assert len(result.predictions["rows"]) == 5
    assert len(frames.clip["sprite"]) < 200_100


def test_predictions_are_marked_until_they_are_of_the_clip_in_view() -> None:
    with gr.Blocks():
        tab = build_inspect_tab(Backstage(), local=True)
    frames = tab.updates(View(Visit(), clip={"key": "new"}))
    assert frames[tab.predictions]["old"] is True
    result = tab.updates(View(Visit(), scores={"key": "new"}, predictions={"rows": []}))
    assert result[tab.predictions]["old"] is False
    assert result[tab.predictions]["value"] == packed({"rows": []})
    assert tab.predictions not in tab.updates(View(Visit(), scores={"key": "new"}))


def test_a_parameter_changes_the_scores_and_nothing_else(
    analyst: Analyst, first_visit: Visit
) -> None:
    before = list(analyst.show(first_visit))[-1]
    data = {"choice": before.visit.heat, "parameters": {"residual": 0.1}}
    chosen, after = analyst.adjust(before.visit, "patches", data)
    assert chosen.scores is None  # the choice itself comes at once
    assert chosen.visit == after.visit
    assert after.clip is None
    assert after.predictions is None
    assert chosen.heat_panel is None  # the slider in use is not replaced
    assert after.heat_panel is None
    assert after.scores is not None
    assert before.scores is not None
    assert after.scores["heat"]["high"] != before.scores["heat"]["high"]
    assert after.scores["bars"] == before.scores["bars"]
    assert after.visit.heat_parameters == {"residual": 0.1}


def test_a_span_is_kept_in_the_visit_and_moves_the_frames(
    analyst: Analyst, first_visit: Visit
) -> None:
    data = {"choice": "uniform", "parameters": {"start": 0.0, "end": 0.5}}
    visit = analyst.resample(first_visit, data)
    assert visit.span_seconds == (0.0, 0.5)
    clip = next(analyst.show(visit)).clip
    assert clip is not None
    assert max(frame["seconds"] for frame in clip["frames"]) < 0.5


def test_a_bad_upload_is_a_readable_error_before_anything_changes(
    analyst: Analyst, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    views = analyst.show(analyst.upload(Visit(), str(bad), bad.name))
    with pytest.raises(VideoError, match=r"bad\.mp4"):
        next(views)


def test_an_example_that_is_not_there_is_refused(analyst: Analyst) -> None:
    with pytest.raises(UnknownNameError, match="no example"):
        analyst.example(Visit(), "../../etc/passwd")
