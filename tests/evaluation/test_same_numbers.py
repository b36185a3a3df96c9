"""One process, two processes and Ray say exactly the same about every clip."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import deadly
import pytest
import torch

from stam_core.actions.dataset import RenderSpec, render_clip
from stam_core.evaluate import EvaluationError
from stam_core.evaluate.lists import Entry
from stam_core.evaluate.protocol import choose_protocol
from stam_core.evaluate.ray_engine import import_ray, plan_for, ray_answers, start_ray, stop_ray
from stam_core.models import load_model, model_info
from stam_core.video.encode import write_mp4

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900  # seconds; a busy machine may take long to import torch many times
CLIPS = 7  # no multiple of the batch nor of the processes
# The number of threads is another order of summing up, so all have the same.
SAME = ("--threads", "1", "--workers", "1", "--batch", "2", "--device", "cpu", "--dtype", "float32")
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install -r requirements-ray.txt"
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """Small clips of the embedded model's own actions, and one that is broken."""
    root = tmp_path_factory.mktemp("rendered")
    labels = model_info("stam-actions").labels[:3]
    spec = RenderSpec(width=48, height=48, num_frames=8)
    for index in range(CLIPS):
        label = labels[index % 3]
        path = root / "val" / label.upper().replace(" ", "_") / f"{index}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(path, render_clip(index, seed=9, spec=spec).frames[0], 10)
    (path.parent / "broken.mp4").write_bytes(b"no video")
    return root


def evaluate(rendered, out, *more, launcher=()):
    command = [sys.executable, *launcher, "-m", "stam_core", "evaluate", "--data", str(rendered)]
    command += ["--out", str(out), *SAME, *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((out / "results.json").read_text())
    return (out / "clips.csv").read_text(), results


@pytest.fixture(scope="module")
def alone(rendered, tmp_path_factory):
    """Clips and results of one process with a DataLoader."""
    return evaluate(rendered, tmp_path_factory.mktemp("alone"))


def same_figures(one, two):
    names = ("top1", "top5", "top1_of_all", "per_class", "confusions", "clips", "unusable")
    return all(one[name] == two[name] for name in names)


def test_every_clip_is_there_once(alone):
    clips, results = alone
    assert clips.count("\n") == 1 + CLIPS + 1
    assert results["clips"]["used"] == CLIPS
    assert results["clips"]["unusable"] == 1


def test_two_processes_say_the_same(alone, rendered, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    clips, results = evaluate(rendered, tmp_path, launcher=launcher)
    assert clips == alone[0]
    assert same_figures(results, alone[1])
    assert results["run"]["processes"] == 2
    journals = sorted(path.name for path in tmp_path.glob("journal*.jsonl"))
    assert journals == ["journal-1.jsonl", "journal.jsonl"]


@needs_ray
def test_ray_says_the_same(alone, rendered, tmp_path):
    clips, results = evaluate(rendered, tmp_path, "--engine", "ray")
    assert clips == alone[0]
    assert same_figures(results, alone[1])
    assert results["run"]["engine"] == "ray"


@needs_ray
def test_a_ray_worker_that_dies_costs_its_clip(tiny, make_clip, tmp_path):
    ray = import_ray(local=True)
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(deadly)  # the workers cannot import a test's module
    names = ("a.mp4", "dead.mp4", "b.mp4")
    entries = [
        Entry(index, make_clip(tmp_path / name, seed=index), name, 0)
        for index, name in enumerate(names)
    ]
    loaded = load_model(str(tiny))
    before = listeners()
    assert start_ray(None, 2) is ray
    try:
        new = listeners() - before
        assert all(address in LOOPBACK for address, _ in new), new
        found = ray_answers(
            ray,
            entries,
            loaded,
            choose_protocol(loaded.info, None),
            plan=plan_for(ray, None, 1),
            batch=2,
            dtype=torch.float32,
            decode=deadly.dies_or_decodes,
        )
        answers = {entry.shown: (clip, answer) for group in found for entry, clip, answer in group}
    finally:
        stop_ray(ray)
        cloudpickle.unregister_pickle_by_value(deadly)
    assert set(answers) == set(names)
    assert [name for name, (_, answer) in answers.items() if answer is None] == ["dead.mp4"]
    assert "died of the clip" in answers["dead.mp4"][0].reason


LOOPBACK = (  # as the kernel writes 127.0.0.1, ::1 and ::ffff:127.0.0.1
    "0100007F",
    "00000000000000000000000001000000",
    "0000000000000000FFFF00000100007F",
)


def listeners():
    """(address, port) of every listening TCP socket on this machine, as the kernel writes them."""
    rows = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        path = Path(table)
        rows += path.read_text().splitlines()[1:] if path.is_file() else []
    cells = [row.split() for row in rows]
    return {tuple(row[1].split(":")) for row in cells if row[3] == "0A"}


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EvaluationError, match=r"requirements-ray\.txt"):
        import_ray()
