"""Decoding apart: the same clips; a process that crashes, hangs or is killed costs one error."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stam_core.errors import (
    ParameterError,
    SamplingError,
    UnknownNameError,
    VideoError,
)
from stam_core.limits import VideoLimits
from stam_core.video import open_clip
from stam_core.video.apart import DecoderPool, OpeningCancelledError, default_pool
from stam_core.video.apart import memory as memory_module
from stam_core.video.apart import process as process_module
from stam_core.video.apart.confine import ALL_DEFENCES
from stam_core.video.apart.process import Worker, WorkerDiedError, _library_folders
from stam_core.video.apart.wire import (
    WireError,
    clip_from_message,
    clip_message,
    error_from_message,
    error_message,
    frames_shape,
    receive,
    send,
)
from tests.test_decode import read_counter, set_rotation, write_counter

LINUX = sys.platform == "linux"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return write_counter(tmp_path_factory.mktemp("apart") / "counter.mp4", 120)


@pytest.fixture(scope="module")
def long_one(tmp_path_factory):
    """All of it has to be decoded: one key frame, and by PyAV."""
    path = tmp_path_factory.mktemp("apart") / "long.mp4"
    return write_counter(path, 250, "mpeg4", size=(320, 240), gop=250)


@pytest.fixture(scope="module")
def pool():
    with DecoderPool(VideoLimits(workers=2)) as pool:
        yield pool


def ends(pid):
    """Whether the process goes away (or waits to be collected) within some seconds."""
    for _ in range(100):
        try:
            if LINUX and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


# ---- the same clips ----


def test_a_clip_is_the_same_apart_and_here(pool, counter):
    apart, here = pool.open_clip(counter, num_frames=16), open_clip(counter, num_frames=16)
    assert [read_counter(frame) for frame in apart.frames] == here.frame_indices.tolist()
    assert np.array_equal(apart.frames, here.frames)
    assert np.array_equal(apart.seconds, here.seconds)
    assert np.array_equal(apart.frame_indices, here.frame_indices)
    assert (apart.info, apart.digest, apart.notes) == (here.info, here.digest, here.notes)
    assert apart.info.decoder in ("decord", "pyav")


def test_options_arrive(pool, counter, tmp_path):
    path = write_counter(tmp_path / "turned.mp4", 20)
    set_rotation(path, 90)
    options = {"num_frames": 3, "short_side": 60, "span_seconds": (0.2, 0.6)}
    apart, here = pool.open_clip(path, **options), open_clip(path, **options)
    assert apart.frames.shape == here.frames.shape == (3, 80, 60, 3)
    assert apart.frame_indices.tolist() == here.frame_indices.tolist()
    official = {"num_frames": 4, "policy": "official", "official_fps": 1.6}
    assert pool.open_clip(counter, **official).frame_indices.tolist() == [0, 15, 31, 46]


def test_errors_are_the_same_apart_and_here(pool, counter, tmp_path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(counter.read_bytes()[:3000])
    asked = [
        (empty, {}, VideoError),
        (cut, {}, VideoError),
        (tmp_path, {}, VideoError),
        (tmp_path / "absent.mp4", {}, VideoError),
        (Path("a\0b.mp4"), {}, VideoError),
        (counter, {"span_seconds": (13.0, 14.0)}, SamplingError),
        (counter, {"policy": "dense"}, UnknownNameError),
    ]
    for path, options, kind in asked:
        with pytest.raises(kind) as here:
            open_clip(path, num_frames=4, **options)
        with pytest.raises(kind) as apart:
            pool.open_clip(path, num_frames=4, **options)
        assert str(apart.value) == str(here.value)
    assert pool.open_clip(counter, num_frames=4).info.n_frames == 120


def test_progress_arrives(pool, long_one):
    heard = []
    pool.open_clip(long_one, num_frames=8, progress=lambda words, share: heard.append(share))
    assert heard == sorted(heard)
    assert all(0 <= share <= 1 for share in heard)


@pytest.mark.skipif(not LINUX, reason="names that are not text exist on Linux alone")
def test_a_name_that_is_not_text_opens_apart(pool, counter, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xfe \xf0\x9f\x8e\xac.mp4"))
    path.write_bytes(counter.read_bytes())
    assert pool.open_clip(path, num_frames=4).info.n_frames == 120


def test_where_nothing_can_be_handed_over_open_the_path_is(counter, monkeypatch):
    """As on Windows (no descriptors) and macOS (no memory without a name)."""
    if LINUX:
        monkeypatch.setattr(memory_module, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.delattr(socket, "send_fds", raising=False)
    # Landlock would refuse the path: the rule for that is that files are handed over open.
    monkeypatch.setattr(
        "stam_core.video.apart.process._library_folders", lambda: [Path(counter.anchor)]
    )
    with DecoderPool() as pool:
        for _ in range(2):
            apart = pool.open_clip(counter, num_frames=4)
            assert [read_counter(frame) for frame in apart.frames] == apart.frame_indices.tolist()


# ---- what goes wrong costs one error ----


def test_what_is_no_video_reaches_no_process(tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\nhttp://127.0.0.1:18099/x.ts\n")
    with DecoderPool() as pool:
        with pytest.raises(VideoError, match="not a video but a playlist"):
            pool.open_clip(path, num_frames=4)
        assert pool.process_ids() == []


def strike(pid, how):
    """In a while; whoever is struck cannot be done before, for it stands still."""
    os.kill(pid, signal.SIGSTOP)

    def blow():
        time.sleep(0.3)
        os.kill(pid, how)
        if how != signal.SIGKILL:
            os.kill(pid, signal.SIGCONT)

    threading.Thread(target=blow).start()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SIGKILL", '"long.mp4" made the decoder crash'),
        ("SIGXCPU", "takes more than 60 s of computing"),
    ],
)
def test_a_process_that_dies_costs_one_clip(long_one, counter, how, words):
    with DecoderPool(VideoLimits(workers=1)) as pool:
        pool.open_clip(counter, num_frames=2)
        (pid,) = pool.process_ids()
        strike(pid, getattr(signal, how))
        with pytest.raises(VideoError, match=words):
            pool.open_clip(long_one, num_frames=16)
        assert pool.open_clip(counter, num_frames=4).num_frames == 4
        assert pid not in pool.process_ids()
    assert ends(pid)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_after_a_crash_pyav_alone_tries_once(counter, monkeypatch):
    with DecoderPool(VideoLimits(workers=1)) as pool:
        pool.open_clip(counter, num_frames=2)
        (pid,) = pool.process_ids()
        strike(pid, signal.SIGSEGV)
        clip = pool.open_clip(counter, num_frames=4)
        assert (clip.info.decoder, clip.info.decoder_reason) == (
            "pyav",
            "decord crashed on this file",
        )
        assert [read_counter(frame) for frame in clip.frames] == clip.frame_indices.tolist()
        tries = []

        def crash(worker, *_, **__):
            tries.append(worker.pid)
            raise WorkerDiedError(-signal.SIGABRT)

        monkeypatch.setattr(Worker, "ask", crash)
        with pytest.raises(VideoError, match="made the decoder crash"):
            pool.open_clip(counter, num_frames=4)
        assert len(set(tries)) == 2


def test_a_process_that_died_while_idle_is_replaced(counter):
    with DecoderPool() as pool:
        pool.open_clip(counter, num_frames=2)
        (pid,) = pool.process_ids()
        os.kill(pid, signal.SIGKILL)
        assert ends(pid)
        assert pool.open_clip(counter, num_frames=4).num_frames == 4


def test_a_process_that_hangs_is_ended_at_the_deadline(counter):
    with DecoderPool(VideoLimits(deadline_seconds=1.5)) as pool:
        pool.open_clip(counter, num_frames=2)
        (pid,) = pool.process_ids()
        os.kill(pid, signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(VideoError, match=r"took longer than 1\.5 s and was given up"):
            pool.open_clip(counter, num_frames=4)
        assert time.monotonic() - begin < 5
        assert ends(pid)


@pytest.mark.skipif(os.name != "posix", reason="no bound on processor time here")
@pytest.mark.parametrize(
    ("limits", "doing", "end"),
    [
        ({"cpu_seconds": 1}, "while True: pass", signal.SIGXCPU),
        ({"deadline_seconds": 0.1}, "import time; time.sleep(60)", signal.SIGALRM),
    ],
    ids=["computing", "waiting"],
)
def test_a_process_ends_by_itself_where_its_parent_is_gone(limits, doing, end):
    script = (
        "from stam_core.limits import VideoLimits\n"
        "from stam_core.video.apart.confine import start_clock\n"
        f"start_clock(VideoLimits(**{limits!r}))\n{doing}"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == -end


def test_a_cancelled_opening_ends_at_once(counter):
    cancel = threading.Event()
    with DecoderPool() as pool:
        pool.open_clip(counter, num_frames=2)
        (pid,) = pool.process_ids()
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.2, cancel.set).start()
        begin = time.monotonic()
        with pytest.raises(OpeningCancelledError, match="was cancelled"):
            pool.open_clip(counter, num_frames=4, cancel=cancel)
        assert time.monotonic() - begin < 2
        assert ends(pid)
        with pytest.raises(OpeningCancelledError):
            pool.open_clip(counter, num_frames=4, cancel=cancel)
        assert pool.open_clip(counter, num_frames=4).num_frames == 4


def test_what_progress_raises_goes_up_and_the_process_down(long_one):
    def leave(words, share):
        raise KeyboardInterrupt

    with DecoderPool() as pool:
        pool.defences()
        (pid,) = pool.process_ids()
        with pytest.raises(KeyboardInterrupt):
            pool.open_clip(long_one, num_frames=200, progress=leave)
        assert ends(pid)


def test_too_many_frames_to_hand_over_is_said(long_one):
    with (
        DecoderPool(VideoLimits(output_mib=1)) as pool,
        pytest.raises(VideoError, match="take 4 MiB; at most 1 MiB are handed over"),
    ):
        pool.open_clip(long_one, num_frames=16)


@pytest.mark.skipif(not LINUX, reason="only Linux keeps a limit on address space")
def test_too_much_memory_is_refused_and_the_next_clip_opens(tmp_path, counter):
    large = write_counter(tmp_path / "large.mp4", 2, "mpeg4", size=(2048, 1152))
    with DecoderPool(VideoLimits(worker_mib=800, output_mib=16)) as pool:
        with pytest.raises(VideoError, match="more than the 800 MiB of memory"):
            pool.open_clip(large, num_frames=200, short_side=1152)  # 1.3 GiB of frames
        assert pool.open_clip(counter, num_frames=4).num_frames == 4


def test_a_queue_without_end_is_refused(counter):
    with DecoderPool(VideoLimits(workers=1, deadline_seconds=1)) as pool:
        pool.defences()
        (pid,) = pool.process_ids()
        os.kill(pid, signal.SIGSTOP)
        pool._free.acquire()  # as if somebody were being served all the time
        with pytest.raises(VideoError, match="Too many clips are being opened"):
            pool.open_clip(counter, num_frames=4)
        pool._free.release()


def test_a_process_is_renewed_after_its_share_of_clips(counter):
    with DecoderPool(VideoLimits(worker_clips=2)) as pool:
        seen = set()
        for _ in range(5):
            pool.open_clip(counter, num_frames=2)
            seen.update(pool.process_ids())
        assert len(seen) >= 3


def test_a_closed_pool_opens_nothing(counter):
    pool = DecoderPool()
    pool.close()
    with pytest.raises(VideoError, match="is closing"):
        pool.open_clip(counter, num_frames=4)


def test_a_process_that_cannot_start_is_said(counter, monkeypatch):
    monkeypatch.setattr("stam_core.video.apart.process._START", "raise SystemExit(3)")
    with DecoderPool() as pool, pytest.raises(VideoError, match="could not be started"):
        pool.open_clip(counter, num_frames=4)


def test_the_shared_pool_is_one():
    assert default_pool() is default_pool()


# ---- nothing is left over ----


def test_nothing_is_left_over(counter, tmp_path, monkeypatch):
    temporary, shared_memory = tmp_path / "tmp", Path("/dev/shm")
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = set(shared_memory.iterdir()) if shared_memory.is_dir() else set()
    descriptors = len(list(Path("/proc/self/fd").iterdir())) if LINUX else 0
    with DecoderPool(VideoLimits(worker_clips=3, workers=2)) as pool:
        pids = set()
        for round_ in range(7):
            pool.open_clip(counter, num_frames=4)
            pids.update(pool.process_ids())
            if round_ % 3 == 1:
                (pid,) = pool.process_ids()
                os.kill(pid, signal.SIGKILL)
                assert ends(pid)
    assert all(ends(pid) for pid in pids)
    assert list(temporary.iterdir()) == []
    if shared_memory.is_dir():
        assert set(shared_memory.iterdir()) == before
    if LINUX:
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1


def test_a_parent_that_is_killed_leaves_no_process(counter):
    script = (
        "import sys, time; from stam_core.video.apart import DecoderPool\n"
        "pool = DecoderPool(); pool.defences()\n"
        "print(pool.process_ids()[0], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends(pid)


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
def test_secrets_of_the_environment_stay_here(monkeypatch):
    monkeypatch.setenv("STAM_AUTH", "teacher:sesame")
    with DecoderPool() as pool:
        pool.defences()
        environment = Path(f"/proc/{pool.process_ids()[0]}/environ").read_bytes()
    assert b"sesame" not in environment


def test_chaos(counter, long_one):
    """Processes are killed in the middle while several callers open clips: right or refused."""
    expected = {path: open_clip(path, num_frames=8).frames for path in (counter, long_one)}
    outcomes, stop = [], threading.Event()

    def visitor():
        for path in (counter, long_one, counter):
            try:
                clip = pool.open_clip(path, num_frames=8)
                outcomes.append(bool(np.array_equal(clip.frames, expected[path])))
            except VideoError as error:
                outcomes.append(str(error))

    def killer():
        while not stop.wait(0.4):
            for pid in pool.process_ids()[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    with DecoderPool(VideoLimits(workers=2)) as pool:
        pool.open_clip(counter, num_frames=2)
        threads = [threading.Thread(target=visitor) for _ in range(4)]
        destroyer = threading.Thread(target=killer)
        for thread in (*threads, destroyer):
            thread.start()
        for thread in threads:
            thread.join(120)
        stop.set()
        destroyer.join()
        assert len(outcomes) == 12
        assert False not in outcomes
        sentences = [words for words in outcomes if words is not True]
        assert all("crash" in w or "could not be started" in w for w in sentences), sentences
        assert np.array_equal(pool.open_clip(counter, num_frames=8).frames, expected[counter])
        pids = pool.process_ids()
    assert all(ends(pid) for pid in pids)


# ---- the cage ----

ATTEMPTS = """
import fcntl, json, os, socket, subprocess, sys, threading
sys.path.insert(0, {root!r})
from pathlib import Path
from stam_core.limits import VideoLimits
from stam_core.video.apart.confine import confine
inherited = os.open({file!r}, os.O_RDONLY)
taken = confine(VideoLimits(), [Path(folder) for folder in {libraries!r}])
def outcome(attempt):
    try:
        attempt()
        return "done"
    except (OSError, MemoryError) as error:
        return type(error).__name__
def thread():
    t = threading.Thread(target=len, args=("",)); t.start(); t.join()
attempts = dict(
    read_other=lambda: open("/etc/hostname").read(),
    read_again=lambda: open({file!r}).read(),
    read_proc=lambda: open(f"/proc/{{os.getppid()}}/environ").read(),
    read_inherited=lambda: os.pread(inherited, 4, 0),
    write=lambda: open({folder!r} + "/new", "w"),
    truncate=lambda: os.truncate({file!r}, 0),
    remove=lambda: os.remove({file!r}),
    make_folder=lambda: os.mkdir({folder!r} + "/new"),
    connect=lambda: socket.socket(),
    pair=lambda: socket.socketpair(),
    fork=lambda: os._exit(0) if os.fork() == 0 else None,
    run=lambda: subprocess.run(["true"]),
    kill_parent=lambda: os.kill(os.getppid(), 0),
    signal_parent=lambda: fcntl.fcntl(inherited, fcntl.F_SETOWN, os.getppid()),
    choose_signal=lambda: fcntl.fcntl(inherited, 10, 9),
    signal_by_ioctl=lambda: fcntl.ioctl(inherited, 0x8901, os.getppid()),
    ask_descriptor=lambda: fcntl.fcntl(inherited, fcntl.F_GETFL),
    change_times=lambda: os.utime(inherited),
    change_attributes=lambda: os.setxattr(inherited, "user.a", b"b"),
    nice=lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0)),
    schedule=lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)),
    pin_parent=lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0)),
    memory=lambda: bytearray(4 * 2**30),
    thread=thread,
)
print(json.dumps([taken, {{name: outcome(attempt) for name, attempt in attempts.items()}}]))
"""


@pytest.mark.skipif(not LINUX, reason="the kernel's filters are Linux's")
def test_the_cage_holds(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    script = ATTEMPTS.format(
        root=str(ROOT),
        file=str(file),
        folder=str(tmp_path),
        libraries=[str(folder) for folder in _library_folders()],
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    taken, outcomes = json.loads(done.stdout)
    if set(taken) != set(ALL_DEFENCES):
        pytest.skip(f"this kernel has only: {', '.join(taken)}")
    free = {"read_inherited", "thread", "ask_descriptor"}
    refused = {name: words for name, words in outcomes.items() if name not in free}
    assert {outcomes[name] for name in free} == {"done"}
    assert refused.pop("memory") == "MemoryError"
    assert set(refused.values()) == {"PermissionError"}, refused
    assert file.read_bytes() == b"mine"
    assert sorted(tmp_path.iterdir()) == [file]


def test_a_process_is_small_and_without_torch(pool):
    pool.defences()
    if LINUX:
        status = Path(f"/proc/{pool.process_ids()[0]}/status").read_text()
        resident_kib = int(status.split("VmRSS:")[1].split()[0])
        assert resident_kib < 150 * 1024
        maps = Path(f"/proc/{pool.process_ids()[0]}/maps").read_text()
        assert "libtorch" not in maps


# ---- what passes in between ----


def test_messages_are_checked_on_arrival():
    for data, words in [
        (b"\0\0", "cut off"),
        (b"\0\0\0\x09{}", "cut off"),
        (b"\xff\xff\xff\xff", "too long"),
        (b"\0\0\0\x02[]", "not an object"),
        (b"\0\0\0\x02{]", "not JSON"),
        (b"\0\x00\xc3\x50" + b"[" * 50_000, "not JSON"),
    ]:
        with pytest.raises(WireError, match=words):
            receive(io.BytesIO(data))
    assert receive(io.BytesIO(b"")) is None
    stream = io.BytesIO()
    send(stream, {"name": "\udcff☕"})
    stream.seek(0)
    assert receive(stream) == {"name": "\udcff☕"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("frame_indices", [0, 1]),
        ("frame_indices", [0, 1, 2, -1]),
        ("frame_indices", None),
        ("seconds", [0, 1, 2, float("nan")]),
        ("info", {}),
        ("info", 3),
        ("digest", 5),
        ("notes", "text"),
        ("notes", ["x"] * 1000),
    ],
)
def test_a_clip_that_makes_no_sense_is_refused(counter, key, value):
    clip = open_clip(counter, num_frames=4)
    sound = json.loads(json.dumps(clip_message(clip)))
    assert clip_from_message(sound, clip.frames).info == clip.info
    with pytest.raises(WireError):
        clip_from_message({**sound, key: value}, clip.frames)


@pytest.mark.parametrize(
    "shape", [None, [], [4, 5, 6], [5, 8, 8, 3], [4, 8, 8, 4], [4, -8, 8, 3], [4, 2**15, 8, 3]]
)
def test_frames_that_were_not_asked_for_are_refused(shape):
    assert frames_shape({"shape": [4, 8, 8, 3]}, 4, 768) == (4, 8, 8, 3)
    with pytest.raises(WireError):
        frames_shape({"shape": shape}, 4, 4 * 8 * 8 * 3)


def test_errors_travel_as_words():
    for error in (
        VideoError("Broken. Save it again."),
        SamplingError("No frames."),
        ParameterError("Out of range."),
        UnknownNameError("policy", "dense", ["uniform"]),
    ):
        back = error_from_message(error_message(error))
        assert type(back) is type(error)
        assert str(back) == str(error)
    wild = error_from_message({"error": "SystemExit", "words": "a\x1b[2Jb" + "x" * 5000})
    assert type(wild) is VideoError
    assert "\x1b" not in str(wild)
    assert len(str(wild)) <= 600


@pytest.mark.skipif(not LINUX, reason="sealed memory is Linux's")
def test_a_process_cannot_pull_its_memory_away():
    memory = memory_module.FrameMemory(4096)
    for size in (0, 8192):
        with pytest.raises(PermissionError):
            os.ftruncate(memory.descriptor, size)
    memory.close()
    memory.close()


def test_a_worker_that_sends_nonsense_is_not_believed(counter, monkeypatch):
    monkeypatch.setattr(Worker, "ask", lambda self, *_, **__: {"shape": [4, 9999, 9999, 3]})
    with DecoderPool() as pool, pytest.raises(VideoError, match="damaged or malicious"):
        pool.open_clip(counter, num_frames=4)


# What a process does that a file has taken over: it greets as it should, then speaks on and on.
FLOOD = """
import json, struct, sys, time
def say(message):
    data = json.dumps(message).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()
say({"ready": []})
while True:
    say({"progress": "x" * 20_000, "share": 0.5})
    time.sleep(0.001)
"""


@pytest.fixture
def flooding(monkeypatch):
    """A process that a file has taken over; those after it are in order again."""
    with monkeypatch.context() as patch:
        patch.setattr(process_module, "_START", FLOOD)
        worker = Worker(VideoLimits())
    worker.wait_until_ready()
    yield worker
    worker.end()


def test_a_process_that_speaks_unasked_fills_no_memory_and_is_replaced(counter, flooding):
    time.sleep(1.5)  # it would have sent hundreds of messages
    assert flooding._answers.qsize() <= process_module.MAX_UNREAD
    assert not flooding.alive
    with DecoderPool(VideoLimits(workers=1)) as pool:
        pool._idle.append(flooding)
        assert pool.open_clip(counter, num_frames=4).num_frames == 4
        assert flooding.pid not in pool.process_ids()
    assert ends(flooding.pid)
    flooding._listener.join(5)
    assert not flooding._listener.is_alive()


def test_a_process_that_says_too_much_is_not_listened_to_until_the_deadline(flooding, monkeypatch):
    monkeypatch.setattr(Worker, "alive", True)  # as if it had begun only now
    told = []
    with pytest.raises(WireError, match="too much"):
        flooding.ask({}, None, seconds=4, progress=lambda *said: told.append(said), cancel=None)
    assert len(told) == 5 * process_module.MESSAGES_A_SECOND


@pytest.mark.parametrize("answer", [{"shape": [4, 120, 160, 3]}, {"error": "VideoError"}])
def test_a_pool_that_is_closed_in_the_middle_says_so(counter, monkeypatch, answer):
    with DecoderPool() as pool:

        def closed_meanwhile(worker, *_, **__):
            pool.close()
            return answer

        monkeypatch.setattr(Worker, "ask", closed_meanwhile)
        with pytest.raises(VideoError, match="program is closing"):
            pool.open_clip(counter, num_frames=4)


def test_a_process_whose_streams_were_closed_counts_as_dead(counter, monkeypatch):
    with DecoderPool() as pool:
        pool.open_clip(counter, num_frames=2)
        closed = pool._idle[0].pid
        pool._idle[0]._process.stdin.close()
        # Found out while it waits, it is replaced; found out when asked, it has crashed.
        with suppress(VideoError):
            pool.open_clip(counter, num_frames=4)
        assert pool.open_clip(counter, num_frames=4).num_frames == 4
        assert closed not in pool.process_ids()


def test_memory_that_is_being_read_is_freed_after_that():
    memory = memory_module.FrameMemory(4096)
    reader = memoryview(memory._map)
    memory.close()
    reader.release()
    memory.close()
    assert memory._map.closed
