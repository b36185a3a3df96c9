"""The loop: what a kill, a full disc, a signal, other options and more processes do to it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stam_core.errors import ParameterError
from stam_core.train import TrainOptions, files
from stam_core.train.clock import Clock, spoken
from stam_core.train.dropout import RowDropout, begin_rows, use_row_dropout
from stam_core.train.errors import TrainingError, TrainingStoppedError
from stam_core.train.files import check_writable, write_json, write_whole
from stam_core.train.metrics import TIMING, MetricsFile, read_metrics
from stam_core.train.replicas import share_of
from tests.training.toy_run import STEPS, ToyOptions, run_toy

ROOT = Path(__file__).absolute().parent.parent
SCRIPT = Path(__file__).parent / "training" / "toy_run.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def options(tmp_path) -> ToyOptions:
    return ToyOptions(work=tmp_path / "work", device="cpu", threads=2)


def untimed(folder: Path) -> list[dict]:
    return [
        {key: value for key, value in record.items() if key not in TIMING}
        for record in read_metrics(folder / "metrics.jsonl")
    ]


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for key, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[key], value), key


class StoppedError(Exception):
    """Stands for a crash."""


def crash_at(share: float):
    def told(word: str, done: float) -> None:
        if done >= share:
            raise StoppedError

    return told


# --- metrics, curves, average ---------------------------------------------------------------------


def test_a_run_leaves_metrics_and_curves(options):
    words = []
    stage = run_toy(options, told=lambda word, share: words.append((word, share)))
    records = read_metrics(options.work_folder / "metrics.jsonl")
    assert [record["step"] for record in records] == [10, 20, 30, 40, 50, 60]
    assert records[-1].keys() == {"stage", "step", "loss", "off", "lr", *TIMING}
    assert records[-1]["loss"] < 0.5 * records[0]["loss"]
    assert all(record["examples_per_second"] > 0 for record in records)
    assert records[-1]["seconds"] >= records[0]["seconds"]
    assert records[-1]["lr"] == pytest.approx(1e-4)  # the cosine's end, a hundredth
    assert (options.work_folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert words[-1][1] == 1.0
    assert words[0][0].startswith("toy: loss")
    assert words[0][0].endswith(" s left")
    assert stage.done == STEPS


def test_weights_are_their_average_at_the_end_and_the_raw_ones_without(options, tmp_path):
    averaged = run_toy(options)
    raw = run_toy(replace(options, work=tmp_path / "raw", ema=0.0))
    assert untimed(averaged.options.work_folder) == untimed(raw.options.work_folder)
    state = torch.load(averaged.file, weights_only=True)
    for key, value in averaged.modules.state_dict().items():
        assert torch.equal(state["average"][key], value)
        assert torch.equal(state["modules"][key], raw.modules.state_dict()[key])
        assert torch.equal(state["modules"][key], value) == key.startswith("spare")
    assert_same(run_toy(options).modules, averaged.modules)  # a finished stage gives them again


def test_the_average_by_hand():
    from stam_core.train.average import WeightAverage

    net = nn.ModuleDict({"one": nn.Linear(1, 1, bias=False)})
    weight = net["one"].weight
    average = WeightAverage(net, 0.5)
    values = []
    for step, value in enumerate((1.0, 2.0, 4.0), start=1):
        weight.data.fill_(value)
        average.update(net, step)
        values.append(float(average.state()["one.weight"]))
    # Kept shares: 0, then 1 - 2 ** -(2/3) = 0.370, then 1 - 3 ** -(2/3) = 0.519, at most 0.5.
    second = 0.370039 * 1.0 + 0.629961 * 2.0
    assert values == pytest.approx([1.0, second, 0.5 * second + 0.5 * 4.0], rel=1e-5)


# --- resume ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, 0.5, 0.85])
def test_a_crashed_run_goes_on_bit_for_bit(options, tmp_path, share):
    often = replace(options, save_steps=7, save_seconds=1e9)
    whole = run_toy(often)
    again = replace(often, work=tmp_path / "again")
    with pytest.raises(StoppedError):
        run_toy(again, told=crash_at(share))
    resumed = run_toy(again)
    assert_same(whole.modules, resumed.modules)
    assert untimed(often.work_folder) == untimed(again.work_folder)
    assert resumed.figures == whole.figures


def test_kill_9_and_resume_give_the_same_files(tmp_path):
    killed = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(tmp_path / "killed"), "0.03"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while len(read_metrics(tmp_path / "killed" / "metrics.jsonl")) < 3:
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        killed.kill()
    assert killed.wait() == -signal.SIGKILL
    before = torch.load(tmp_path / "killed" / "toy.pt", weights_only=True)
    assert 0 < before["done"] < STEPS
    alone = ToyOptions(work=tmp_path / "whole", device="cpu", threads=1)
    whole = run_toy(alone)
    resumed = run_toy(replace(alone, work=tmp_path / "killed"))
    assert untimed(tmp_path / "killed") == untimed(tmp_path / "whole")
    assert_same(whole.modules, resumed.modules)


def test_other_options_are_refused_and_named(options):
    with pytest.raises(StoppedError):
        run_toy(replace(options, save_steps=5, save_seconds=1e9), told=crash_at(0.5))
    with pytest.raises(TrainingError, match=r"ema was 0\.999 and is 0\.5; seed was 0 and is 3"):
        run_toy(replace(options, seed=3, ema=0.5))
    with pytest.raises(TrainingError, match=r"steps was 60 and is 50.*delete '.*toy\.pt'"):
        run_toy(options, steps=50)
    run_toy(replace(options, threads=1, save_steps=9))  # how fast a run goes may change


@pytest.mark.parametrize("content", [b"", b"not a state", b"PK\x03\x04 torn"])
def test_a_state_that_cannot_be_read_is_said_so(options, content):
    options.work_folder.mkdir(parents=True)
    (options.work_folder / "toy.pt").write_bytes(content)
    with pytest.raises(TrainingError, match=r"cannot be read\. Delete '.*toy\.pt'"):
        run_toy(options)


def test_a_state_of_another_version_is_said_so(options):
    options.work_folder.mkdir(parents=True)
    torch.save({"steps": 60, "done": 10}, options.work_folder / "toy.pt")
    with pytest.raises(TrainingError, match=r"another version\. Delete"):
        run_toy(options)


def test_metrics_are_cut_back_with_what_came_later(tmp_path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for stage, step in (("space", 10), ("space", 20), ("time", 10), ("time", 20)):
        file.append({"stage": stage, "step": step})
    with file.path.open("a") as torn:
        torn.write('{"stage": "time", "st')
    file.cut("time", 10)
    steps = [(record["stage"], record["step"]) for record in file.read()]
    assert steps == [("space", 10), ("space", 20), ("time", 10)]
    assert file.path.read_text().endswith("}\n")
    file.cut("space", 10)
    assert file.read() == [{"stage": "space", "step": 10}]
    file.cut("time", 0)
    assert file.read() == [{"stage": "space", "step": 10}]


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(options, tmp_path, number):
    def told(word: str, share: float) -> None:
        if share == 0.5:
            os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    with pytest.raises(TrainingStoppedError, match=r"after step 3\d of 60.*same command") as stop:
        run_toy(options, told=told)
    assert stop.value.signal_number == number
    assert signal.getsignal(number) is handler
    stopped = torch.load(options.work_folder / "toy.pt", weights_only=True)
    assert stopped["done"] in (30, 31)
    assert_same(
        run_toy(options).modules, run_toy(replace(options, work=tmp_path / "whole")).modules
    )


def test_training_in_a_thread_works_without_signals(options):
    results = []
    thread = threading.Thread(target=lambda: results.append(run_toy(options, steps=3)))
    thread.start()
    thread.join()
    assert results[0].done == 3


# --- what cannot be written -----------------------------------------------------------------------


def test_a_full_disc_leaves_the_former_state(options, monkeypatch):
    """The disc fills up in the middle of the second state."""
    calls = []
    save = torch.save

    def full(state: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half a st")
            raise OSError(28, "No space left on device")
        save(state, path)

    monkeypatch.setattr(files.torch, "save", full)
    often = replace(options, save_steps=20, save_seconds=1e9)
    with pytest.raises(TrainingError, match=r"toy\.pt': No space left.*untouched.*same command"):
        run_toy(often)
    monkeypatch.undo()
    assert torch.load(options.work_folder / "toy.pt", weights_only=True)["done"] == 20
    assert not list(options.work_folder.glob("*.part"))
    assert run_toy(often).done == STEPS


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_disc_that_takes_no_more_bytes(tmp_path):
    """The system itself refuses to let the file grow: torch's own writer must not hide it."""
    import resource

    target = tmp_path / "state.pt"
    files.write_state(target, {"x": torch.ones(4)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(TrainingError, match="untouched"):
            files.write_state(target, {"x": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.equal(torch.load(target, weights_only=True)["x"], torch.ones(4))
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_failed_write_keeps_what_was_there(tmp_path):
    target = tmp_path / "numbers.json"
    write_json(target, {"a": 1})

    def torn(part: Path) -> None:
        part.write_text("{")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(target, torn)
    assert json.loads(target.read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]


def test_places_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    with pytest.raises(TrainingError, match="is a folder"):
        check_writable(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="Cannot write"):
        check_writable(tmp_path / "file" / "model.safetensors")


def test_numbers_that_are_none_stop_the_run(options):
    def told(word: str, share: float) -> None:
        if share >= 0.5:
            for parameter in stages[0].parameters():
                parameter.data.fill_(float("nan"))

    stages: list[nn.Module] = []
    import tests.training.toy_run as toy

    original = toy.Stage

    class Watched(original):
        def __init__(self, name, modules, *arguments, **keywords):
            stages.append(modules)
            super().__init__(name, modules, *arguments, **keywords)

    toy.Stage = Watched
    try:
        with pytest.raises(TrainingError, match="no number any more in step 31"):
            run_toy(options, told=told)
    finally:
        toy.Stage = original


# --- threads and processes ------------------------------------------------------------------------


def test_threads_change_nothing_but_rounding(options, tmp_path):
    one = run_toy(replace(options, threads=1, work=tmp_path / "one"), steps=10)
    three = run_toy(replace(options, threads=3, work=tmp_path / "three"), steps=10)
    losses = [untimed(stage.options.work_folder)[0]["loss"] for stage in (one, three)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_two_processes_train_as_one_does(tmp_path):
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", str(SCRIPT), str(tmp_path / "two")),
        ],
        check=True,
        env=ENVIRONMENT,
        capture_output=True,
        timeout=240,
    )
    one = run_toy(ToyOptions(work=tmp_path / "one", device="cpu", threads=1))
    mine, theirs = untimed(tmp_path / "one"), untimed(tmp_path / "two")
    assert len(mine) == len(theirs) == 6
    for here, there in zip(mine, theirs, strict=True):
        assert (here.pop("stage"), there.pop("stage")) == ("toy", "toy")
        assert here == pytest.approx(there, rel=1e-4)
    assert mine[0]["loss"] == pytest.approx(theirs[0]["loss"], rel=1e-6)
    weights = torch.load(tmp_path / "two" / f"weights-{STEPS}.pt", weights_only=True)
    for key, value in one.modules.state_dict().items():
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("total", "places"), [(7, 3), (4, 4), (10, 1), (2, 3)])
def test_every_row_has_one_place(total, places):
    shares = [share_of(total, place, places) for place in range(places)]
    assert shares[0][0] == 0
    assert shares[-1][1] == total
    assert all(left[1] == right[0] for left, right in itertools.pairwise(shares))


def test_dropout_of_a_part_is_that_part_of_the_whole():
    net = nn.Sequential(nn.Dropout(0.4), nn.Dropout(0.4)).train()
    use_row_dropout(net)
    assert all(isinstance(layer, RowDropout) for layer in net)
    x = torch.ones(8, 50)
    begin_rows(net, 5, 0, 8, 8)
    whole = net(x)
    begin_rows(net, 5, 3, 8, 8)
    assert torch.equal(net(x[3:]), whole[3:])
    begin_rows(net, 6, 0, 8, 8)
    assert not torch.equal(net(x), whole)
    kept = float((whole > 0).float().mean())
    assert kept == pytest.approx(0.36, abs=0.08)
    assert float(whole.max()) == pytest.approx(1 / 0.36)
    assert torch.equal(net.eval()(x), x)


def test_an_optimiser_that_timm_has_not_is_said_so(options):
    with pytest.raises(ParameterError, match="no optimiser 'adamwhat'"):
        run_toy(replace(options, optimizer="adamwhat"))


def test_saving_takes_a_small_part_of_the_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("stam_core.train.clock.time.monotonic", lambda: now[0])
    clock = Clock(save_seconds=60.0, save_steps=250)
    now[0] += 10.0
    assert clock.tick() == 10.0
    assert not clock.is_time_to_save(1)
    assert clock.is_time_to_save(250)
    now[0] += 50.0
    assert clock.is_time_to_save(2)
    clock.saved(4.0)  # seconds: the next one is worth its cost after 80
    now[0] += 79.0
    assert not clock.is_time_to_save(500)
    now[0] += 1.0
    assert clock.is_time_to_save(501)


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.4, "3 s"), (89, "89 s"), (100, "2 min"), (9000, "2.5 h")]
)
def test_time_as_somebody_would_say_it(seconds, words):
    assert spoken(seconds) == words


def test_options_that_no_run_can_use_are_refused():
    with pytest.raises(ParameterError, match=r"in \[0,1\), got 1"):
        TrainOptions(ema=1.0)
    with pytest.raises(ParameterError, match="above 0"):
        TrainOptions(save_seconds=0)
    with pytest.raises(ParameterError, match="above 0"):
        TrainOptions(threads=0)


def test_later_stages_may_change_while_an_earlier_one_runs():
    first, second = TrainOptions(), TrainOptions(time_steps=7, batch_clips=4)
    assert first.settings("space") == second.settings("space")
    assert first.settings("time") != second.settings("time")
    assert TrainOptions(workers=7).settings("joint") == first.settings("joint")
    assert first.settings("space")["config.width"] == first.config.width
