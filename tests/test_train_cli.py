"""`train` on the command line: its flags, what it prints, how it ends."""

from __future__ import annotations

import dataclasses
import json
import signal

import pytest

from stam_core.__main__ import main
from stam_core.cli.train import COMMON_HELP, DATA_HELP, RENDERED_HELP
from stam_core.train import FineTuned, FineTuneOptions, TrainingStoppedError, TrainOptions


def run_quietly(capfd, *arguments: str) -> tuple[int, str]:
    code = main([*arguments])
    out, err = capfd.readouterr()
    assert not err, err
    return code, out


def fail(capfd, *arguments: str) -> str:
    assert main([*arguments]) == 2
    out, err = capfd.readouterr()
    assert not out
    assert err.count("\n") == 1
    return err


def names_of(kind: type) -> set[str]:
    return {entry.name for entry in dataclasses.fields(kind)}


def test_every_training_flag_is_explained(capfd):
    common = names_of(TrainOptions) & names_of(FineTuneOptions)
    assert set(COMMON_HELP) == common
    assert set(RENDERED_HELP) == names_of(TrainOptions) - common - {"config"}
    assert set(DATA_HELP) == names_of(FineTuneOptions) - common - {"clips_digest"}
    code, out = run_quietly(capfd, "train", "--help")
    assert code == 0
    assert "torchrun --nproc-per-node 2" in out
    assert "--data" in out


def test_torchrun_takes_no_flag_for_its_own():
    """It reads the whole line, and stops at a word that begins several of its flags."""
    from torch.distributed.run import get_args_parser

    flags = [f"--{name.replace('_', '-')}" for name in (*COMMON_HELP, *RENDERED_HELP, *DATA_HELP)]
    given = [word for flag in ("--from", *flags) if flag != "--start" for word in (flag, "x")]
    line = ["--nproc-per-node", "2", "-m", "stam_core", "train", *given]
    assert get_args_parser().parse_args(line).training_script_args == ["train", *given]


def test_train_passes_its_options_on(capfd, monkeypatch, tmp_path):
    seen = []

    def train(options, progress):
        seen.append(options)
        return options.out

    monkeypatch.setattr("stam_core.train.train", train)
    path = tmp_path / "m.safetensors"
    arguments = ["--out", str(path), "--seed", "3", "--space-steps", "20", "--precision", "bf16"]
    code, out = run_quietly(capfd, "train", *arguments, "--json")
    assert code == 0
    assert json.loads(out) == {"checkpoint": str(path)}
    assert (seen[0].out, seen[0].seed, seen[0].space_steps) == (path, 3, 20)
    assert seen[0].precision == "bf16"
    assert "--seed" in fail(capfd, "train", "--seed", "x")


@pytest.fixture
def made(tmp_path) -> FineTuned:
    return FineTuned(
        checkpoint=tmp_path / "mine.safetensors",
        labels=("<b>a", "b\x1b[31m"),
        n_train=7,
        n_val=2,
        n_skipped=1,
        notes=("'c' has one usable clip only.",),
        validation={"top1": 0.5, "top5": 1.0, "clips": 2, "per_class": {"<b>a": 1.0, "b\x1b": 0.0}},
        work_folder=tmp_path / "mine-training",
    )


def test_a_folder_is_fine_tuned_on(capfd, monkeypatch, tmp_path, made):
    seen = []

    def fine_tune(options, progress):
        seen.append(options)
        return made

    monkeypatch.setattr("stam_core.train.fine_tune", fine_tune)
    arguments = ["train", "--data", str(tmp_path), "--from", "timm:vit", "--download"]
    code, out = run_quietly(capfd, *arguments, "--freeze", "none", "--lr", "3e-4")
    assert code == 0
    options = seen[0]
    assert (options.data, options.start, options.download) == (tmp_path, "timm:vit", True)
    assert (options.freeze, options.highest_lr) == ("none", 3e-4)
    assert "2 classes from 7 clips, 2 held out" in out
    assert "1 files skipped" in out
    assert "top-1 50.0%" in out
    assert "<b>a" in out
    assert "\x1b" not in out
    assert "note: 'c' has one usable clip only." in out
    code, out = run_quietly(capfd, *arguments, "--json")
    facts = json.loads(out)
    assert facts["labels"] == ["<b>a", "b\x1b[31m"]
    assert (facts["train_clips"], facts["val_clips"], facts["skipped_clips"]) == (7, 2, 1)


def test_flags_of_the_other_kind_of_training_are_refused(capfd, tmp_path):
    assert "--clips has no meaning with --data" in fail(
        capfd, "train", "--data", str(tmp_path), "--clips", "3"
    )
    assert "--freeze needs --data DIR" in fail(capfd, "train", "--freeze", "none")


def test_an_empty_folder_is_one_line(capfd, tmp_path):
    message = fail(
        capfd, "train", "--data", str(tmp_path), "--out", str(tmp_path / "m.safetensors")
    )
    assert "There is no video below" in message
    assert "DIR/class name/clip.mp4" in message


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (TrainingStoppedError("Saved; run it again.", signal.SIGTERM), 143, "Saved; run it again."),
        (KeyboardInterrupt(), 130, "Run the same command again to go on."),
    ],
)
def test_a_stopped_training_says_how_to_go_on(capfd, monkeypatch, problem, code, words):
    def train(options, progress):
        raise problem

    monkeypatch.setattr("stam_core.train.train", train)
    assert main(["train"]) == code
    assert words in capfd.readouterr().err


def test_only_the_first_of_several_processes_speaks(capfd, monkeypatch):
    monkeypatch.setattr("stam_core.train.train", lambda options, progress: options.out)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    assert run_quietly(capfd, "train") == (0, "")
    monkeypatch.setenv("RANK", "0")
    assert "The checkpoint is" in run_quietly(capfd, "train")[1]
