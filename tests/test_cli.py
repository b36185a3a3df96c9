"""The command line: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from stam_core.__main__ import main
from stam_core.cli import clips, models, output
from stam_core.cli.output import OutputError, OutputFolder, ProgressLine, safe_stem
from stam_core.errors import VideoError
from stam_core.explain import EXPLAINERS, parameter_specs
from stam_core.models import MODELS, model_info
from tests.toys import write_tiny

PATIENCE = 300  # seconds; a busy machine may take long to import torch
ROOT = Path(__file__).resolve().parent.parent
LABELS = ("walk", "sit $down_", "7", "<b>kick</b>", "run", "jump")
HOSTILE_NAMES = [
    "spaces in  name.mp4",
    "видео 動画 ☕ é.mp4",
    "<img src=x onerror=alert(1)>.mp4",
    "$x^2_$ \\frac{1.mp4",
    "line\nbreak\x1b[31m.mp4",
    "%d %s {0} {{x}}.mp4",
    ".hidden.mp4",
    "http:clip.mp4",
]


def write_video(path: Path, *, n_frames: int = 20, width: int = 48, height: int = 32) -> Path:
    with av.open(str(path.resolve()), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(n_frames):
            picture = np.full((height, width, 3), (8 * index) % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    """A STAM of 4 frames and 2 x 2 patches that describes itself."""
    return str(write_tiny(tmp_path_factory.mktemp("weights") / "tiny.safetensors", LABELS))


@pytest.fixture
def clip(tmp_path) -> str:
    return str(write_video(tmp_path / "clip.mp4"))


def lines(text: str) -> list[str]:
    return text.splitlines()


def run_quietly(capfd, *arguments: str) -> tuple[int, str]:
    """Exit code and stdout of a call that may not say a word on stderr."""
    code = main(arguments)
    out, err = capfd.readouterr()
    assert err == ""
    return code, out


def fail(capfd, *arguments: str) -> str:
    """The one line of a call that the user can mend."""
    code = main(arguments)
    out, err = capfd.readouterr()
    assert code == 2
    assert err.endswith("\n")
    assert len(lines(err)) == 1, err
    assert "Traceback" not in out + err
    return err


# --- predict --------------------------------------------------------------------------------------


def test_predict_json_has_the_promised_shape(capfd, clip, tiny):
    code, out = run_quietly(capfd, "predict", clip, "--model", tiny, "--json")
    assert code == 0
    (line,) = lines(out)
    result = json.loads(line)
    assert list(result) == ["clip", "model", "frame_indices", "seconds", "predictions"]
    assert result["clip"] == clip
    assert len(result["frame_indices"]) == len(result["seconds"]) == 4
    assert result["frame_indices"] == sorted(result["frame_indices"])
    np.testing.assert_allclose(result["seconds"], np.array(result["frame_indices"]) / 10, atol=1e-6)
    chances = [entry["probability"] for entry in result["predictions"]]
    assert len(chances) == 5
    assert chances == sorted(chances, reverse=True)
    assert {entry["label"] for entry in result["predictions"]} < set(LABELS)


def test_a_clip_that_fails_does_not_stop_the_others(capfd, clip, tiny, tmp_path):
    absent = str(tmp_path / "absent.mp4")
    code = main(["predict", absent, clip, str(tmp_path), "--model", tiny, "--json"])
    out, err = capfd.readouterr()
    assert code == 2
    results = [json.loads(line) for line in lines(out)]
    assert [set(entry) for entry in results] == [
        {"clip", "error"},
        {"clip", "model", "frame_indices", "seconds", "predictions"},
        {"clip", "error"},
    ]
    assert results[0]["clip"] == absent
    assert len(lines(err)) == 1
    assert "2 of 3 clips failed" in err


def test_predict_as_text(capfd, clip, tiny):
    code, out = run_quietly(capfd, "predict", clip, "--model", tiny, "--top", "2")
    assert code == 0
    assert clip in lines(out)[0]
    assert "4 frames of 20" in out
    assert out.count("%") == 2


def test_a_span_limits_the_frames(capfd, clip, tiny):
    arguments = ("predict", clip, "--model", tiny, "--json", "--span", "0.5", "1.2")
    _, out = run_quietly(capfd, *arguments)
    seconds = json.loads(out)["seconds"]
    assert min(seconds) >= 0.5 - 0.05
    assert max(seconds) <= 1.2 + 0.05


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_only_text(capfd, tmp_path, tiny, name):
    path = str(write_video(tmp_path / name))
    code, out = run_quietly(capfd, "predict", path, "--model", tiny, "--json")
    assert code == 0
    assert json.loads(out)["clip"] == path
    code, out = run_quietly(capfd, "predict", path, "--model", tiny, "--top", "2")
    assert code == 0
    assert len([line for line in lines(out) if not line.startswith("  note:")]) == 4
    assert "\x1b" not in out


def test_a_leading_dash_goes_behind_two_dashes(capfd, tmp_path, tiny, monkeypatch):
    write_video(tmp_path / "-i.mp4")
    monkeypatch.chdir(tmp_path)
    code, out = run_quietly(capfd, "predict", "--model", tiny, "--json", "--", "-i.mp4")
    assert code == 0
    assert json.loads(out)["clip"] == "-i.mp4"
    assert "-i.mp4" in fail(capfd, "predict", "-i.mp4", "--model", tiny)


def test_predict_leaves_a_figure_and_numbers(capfd, clip, tiny, tmp_path):
    out_dir = tmp_path / "results"
    code, _ = run_quietly(capfd, "predict", clip, "--model", tiny, "--out", str(out_dir))
    assert code == 0
    assert sorted(path.name for path in out_dir.iterdir()) == [
        "clip.prediction.json",
        "clip.prediction.png",
    ]
    saved = json.loads((out_dir / "clip.prediction.json").read_text())
    assert saved["explanation"] is None
    assert len(saved["prediction"]["probabilities"]) == len(LABELS)


# --- explain --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", EXPLAINERS)
def test_every_method_explains(capfd, clip, tiny, method):
    code, out = run_quietly(capfd, "explain", clip, "--model", tiny, "--method", method, "--json")
    assert code == 0
    result = json.loads(out)["explanation"]
    assert result["method"] == method
    for name in EXPLAINERS[method].info.outputs - {"series"}:
        assert np.isfinite(np.array(result[name])).all()
        assert len(result[name]) == 4
    for row in result["series"].values():
        assert np.isfinite(np.array(row)).all()
    code, out = run_quietly(capfd, "explain", clip, "--model", tiny, "--method", method)
    assert code == 0
    assert EXPLAINERS[method].info.title in out


def test_explain_leaves_figure_film_and_numbers(capfd, clip, tiny, tmp_path):
    out_dir = tmp_path / "results"
    code, out = run_quietly(capfd, "explain", clip, "--model", tiny, "--out", str(out_dir))
    assert code == 0
    names = ["clip.rollout.json", "clip.rollout.mp4", "clip.rollout.png"]
    assert sorted(path.name for path in out_dir.iterdir()) == names
    assert all(str(out_dir / name) in out for name in names)
    saved = json.loads((out_dir / names[0]).read_text())
    explained = saved["explanation"]
    total = np.sum(explained["patches"]) + explained["unattributed"]
    assert total == pytest.approx(1.0, abs=1e-4)
    assert len(saved["model"]["weights"]["sha256_used"]) == 64
    with av.open(str(out_dir / names[1])) as film:
        frames = sum(1 for _ in film.decode(video=0))
        assert film.streams.video[0].codec_context.name == "h264"
    assert frames == 8
    assert (out_dir / names[2]).read_bytes().startswith(b"\x89PNG")


def test_same_names_into_one_folder_overwrite_nothing(capfd, tiny, tmp_path):
    paths = []
    for folder, n_frames in (("a", 20), ("b", 30)):
        (tmp_path / folder).mkdir()
        paths.append(str(write_video(tmp_path / folder / "clip.mp4", n_frames=n_frames)))
    out_dir = tmp_path / "results"
    arguments = ("explain", *paths, "--model", tiny, "--out", str(out_dir), "--json")
    code, out = run_quietly(capfd, *arguments)
    assert code == 0
    files = [json.loads(line)["files"] for line in lines(out)]
    assert len({*files[0], *files[1]}) == 6
    saved = [json.loads(Path(entry[0]).read_text())["clip"]["name"] for entry in files]
    assert saved == paths
    run_quietly(capfd, *arguments)
    assert len(list(out_dir.iterdir())) == 12


def test_a_method_has_its_own_flags(capfd, clip, tiny):
    arguments = ["explain", clip, "--model", tiny, "--method", "spatial-rollout", "--json"]
    _, out = run_quietly(capfd, *arguments, "--discard-ratio", "0.5", "--head-fusion", "max")
    used = json.loads(out)["explanation"]["parameters"]
    assert used["discard_ratio"] == 0.5
    assert used["head_fusion"] == "max"
    assert "--head-fusion" in fail(capfd, *arguments, "--head-fusion", "median")
    assert "7" in fail(capfd, *arguments, "--discard-ratio", "7")


@pytest.mark.parametrize("method", EXPLAINERS)
def test_help_shows_every_parameter_of_the_method(capfd, method, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("stam_core.cli.flags.DEFAULT_MODEL", "stam-16")
    code, out = run_quietly(capfd, "explain", "--method", method, "--help")
    assert code == 0
    for spec in parameter_specs(method, model_info("stam-16")):
        assert f"--{spec.name.replace('_', '-')}" in out
        assert spec.help.rstrip(".") in out


def test_targets_are_labels_or_indices(capfd, clip, tiny):
    def target(text):
        _, out = run_quietly(capfd, "explain", clip, "--model", tiny, "--json", "--target", text)
        return json.loads(out)["explanation"]

    method = next((name for name, kind in EXPLAINERS.items() if kind.info.uses_target), None)
    if method is None:
        target("walk")
        target("3")
    message = fail(capfd, "explain", clip, "--model", tiny, "--target", "swim")
    assert "swim" in message
    assert "walk" in message


def test_methods_are_listed(capfd):
    code, out = run_quietly(capfd, "explain", "--list", "--json")
    assert code == 0
    assert [row["name"] for row in json.loads(out)] == list(EXPLAINERS)
    assert all(row["caveat"] for row in json.loads(out))
    code, out = run_quietly(capfd, "explain", "--list")
    assert all(name in out for name in EXPLAINERS)


# --- models, train, evaluate ----------------------------------------------------------------------


def test_models_are_listed(capfd):
    code, out = run_quietly(capfd, "models", "--json")
    assert code == 0
    rows = json.loads(out)
    assert {"stam-8", "stam-16", "stam-32", "stam-64"} <= {row["name"] for row in rows}
    assert {row["name"] for row in rows} <= set(MODELS)
    assert all(row["licence"] and row["summary"] for row in rows)
    code, out = run_quietly(capfd, "models")
    assert code == 0
    assert all(row["name"] in out for row in rows)


def test_nothing_is_downloaded_unasked(capfd, clip, monkeypatch):
    monkeypatch.setattr(models, "weights_at_hand", lambda info: None)
    monkeypatch.setattr(clips, "Engine", lambda *_, **__: pytest.fail("fetched"))
    message = fail(capfd, "predict", clip, "--model", "stam-16")
    assert "Apache-2.0" in message
    assert "MB" in message
    assert "--download" in message


def test_evaluate_prints_what_it_measured(capfd, monkeypatch, tiny):
    asked = {}

    def evaluate_rendered(model, preprocessing, n, **options):
        asked.update(options, n=n, side=preprocessing.side)
        return {"top1": 0.5, "top5": 1.0, "clips": n, "reversed_pairs": None}

    monkeypatch.setattr("stam_core.evaluate.evaluate_rendered", evaluate_rendered)
    arguments = ("evaluate", "--rendered", "6", "--seed", "9", "--model", tiny)
    code, out = run_quietly(capfd, *arguments, "--json")
    assert code == 0
    result = json.loads(out)
    assert list(result)[:4] == ["top1", "top5", "clips", "reversed_pairs"]
    assert (asked["n"], asked["seed"], asked["side"], asked["num_frames"]) == (6, 9, 16, 4)
    assert asked["labels"] == LABELS
    code, out = run_quietly(capfd, *arguments)
    assert "0.5000" in out


def test_evaluate_needs_a_model_of_the_rendered_actions(capfd, tiny):
    assert "actions" in fail(capfd, "evaluate", "--rendered", "1", "--model", tiny)


# --- failing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["paint"], "paint"),
        (["predict"], "CLIP"),
        (["predict", "x.mp4", "--no-such\nflag"], "--no-such"),
        (["predict", "x.mp4", "--top", "0"], "from 1 up"),
        (["predict", "x.mp4", "--top", "nan"], "from 1 up"),
        (["predict", "x.mp4", "--span", "1"], "--span"),
        (["predict", "x.mp4", "--model", "no\nsuch"], "no model"),
        (["predict", "x.mp4", "--model", "stam-16", "--weights", "absent.pth"], "absent.pth"),
        (["explain", "x.mp4", "--method", "magic"], "no method 'magic'"),
        (["explain"], "clip"),
        (["explain", "x.mp4", "--opacity", "2"], "opacity"),
        (["explain", "x.mp4", "--colours", "jet"], "no colour map 'jet'"),
        (["explain", "x.mp4", "--colours", "blue-orange"], "choose cividis"),
        (["evaluate", "--rendered", "-1"], "from 1 up"),
        (["evaluate", "--seed", "1.5"], "from 0 up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_take_one_line(capfd, arguments, words):
    assert words in fail(capfd, *arguments)


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize("flag", [("--device", "warp"), ("--dtype", "int3"), ("--sampling", "odd")])
def test_unknown_choices_take_one_line(capfd, clip, tiny, command, flag):
    assert flag[1] in fail(capfd, command, clip, "--model", tiny, *flag)


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize("place", ["file", "below a file"])
def test_a_folder_that_cannot_be_written_is_refused_first(
    capfd, clip, tiny, tmp_path, command, place
):
    blocker = tmp_path / "not a\nfolder"
    blocker.write_text("keep me")
    out = blocker if place == "file" else blocker / "deeper"
    assert "Cannot write" in fail(capfd, command, clip, "--model", tiny, "--out", str(out))
    assert blocker.read_text() == "keep me"


def test_a_full_disk_takes_one_line_and_leaves_no_halves(capfd, clip, tiny, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clips, "write_mp4", full)
    out = tmp_path / "results"
    message = fail(capfd, "explain", clip, "--model", tiny, "--out", str(out))
    assert "No space left" in message
    assert list(out.iterdir()) == []


def test_ctrl_c_is_quiet(capfd, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setitem(clips.COMMANDS, "models", interrupt)
    assert run_quietly(capfd, "models") == (130, "")


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def broken(options):
        raise RuntimeError("our bug")

    monkeypatch.setitem(clips.COMMANDS, "models", broken)
    with pytest.raises(RuntimeError, match="our bug"):
        main(["models"])


def test_a_message_of_many_lines_becomes_one(capfd, monkeypatch):
    def broken(options):
        raise VideoError("first\nsecond\r\x1b[2K")

    monkeypatch.setitem(clips.COMMANDS, "models", broken)
    assert fail(capfd, "models") == "stam_core: first\\nsecond\\r\\x1b[2K\n"


# --- output ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("/a/b/clip.mp4", "clip"),
        ("my clip (1).final.MP4", "my_clip_1_final"),
        (".hidden.mp4", "hidden"),
        ("-rf.mp4", "rf"),
        ("<img src=x>\n.mp4", "img_src_x"),
        ("動画.mp4", "動画"),
        ("???.mp4", "clip"),
        ("con.mp4", "clip_con"),
        ("..", "clip"),
        ("no_extension", "no_extension"),
        ("a" * 300 + ".mp4", "a" * 60),
    ],
)
def test_file_names_are_safe(name, stem):
    assert safe_stem(name) == stem


def test_file_names_fit_into_255_bytes():
    assert len(safe_stem("動" * 200).encode()) <= 120
    assert safe_stem("\udcff.mp4") == "clip"


def test_results_are_never_overwritten(tmp_path):
    folder = OutputFolder(tmp_path / "new" / "deeper")
    with folder.claimed("a.mp4", "rollout", [".json", ".png"]) as first:
        pass
    (tmp_path / "new" / "deeper" / "a.rollout-2.png").write_text("older")
    with folder.claimed("a.mp4", "rollout", [".json", ".png"]) as second:
        pass
    assert [path.name for path in first] == ["a.rollout.json", "a.rollout.png"]
    assert [path.name for path in second] == ["a.rollout-3.json", "a.rollout-3.png"]


def test_what_failed_half_way_is_removed(tmp_path):
    folder = OutputFolder(tmp_path / "out")

    def write():
        with folder.claimed("a.mp4", "rollout", [".json", ".png"]) as paths:
            paths[1].write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write()
    assert list(folder.folder.iterdir()) == []


def test_progress_is_drawn_on_terminals_only(capfd, monkeypatch):
    hidden = ProgressLine()
    hidden("working", 0.5)
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(output.sys.stderr, "isatty", lambda: True, raising=False)
    shown = ProgressLine()
    shown("work\ning", 0.5)
    shown.clear()
    err = capfd.readouterr().err
    assert " 50% |" in err
    assert "work\\ning" in err
    assert err.endswith("\r")  # the line is wiped: blanks, and back to its beginning
    assert "\n" not in err


def test_a_terminal_sees_progress_and_a_clean_end(capfd, clip, tiny, monkeypatch):
    monkeypatch.setattr(output.sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["predict", clip, clip, "--model", tiny, "--json"]) == 0
    out, err = capfd.readouterr()
    assert len(lines(out)) == 2
    assert " 2/2 " in err
    assert err.endswith("\r")


def test_a_terminal_without_unicode_gets_its_text(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.say("動画 █ 12 %")
    output.say_json({"clip": "動画\udcff"})
    assert raw.getvalue() == b'?? ? 12 %\n{"clip": "\\u52d5\\u753b\\udcff"}\n'


# --- as a process ---------------------------------------------------------------------------------


def start(*arguments: str, **options) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "stam_core", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_a_reader_that_leaves_gets_no_traceback(tiny, clip):
    process = start("predict", *[clip] * 30, "--model", tiny, "--json")
    assert process.stdout.readline().startswith(b'{"clip"')
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=PATIENCE) in (0, 141)
    process.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_sigint_ends_the_process_quietly(tiny, clip):
    process = start("predict", *[clip] * 400, "--model", tiny, "--json")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert err == b""
    assert process.returncode == 130
