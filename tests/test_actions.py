"""The rendered-actions dataset: repeatable, mirrored in time where it says so, and truthful."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch

from stam_core.actions import (
    ACTIONS,
    LABELS,
    TIME_PAIRS,
    RenderSpec,
    render_clip,
    render_clips,
)
from stam_core.actions.pose_loss import bin_targets, mirror_frames, patch_targets
from stam_core.actions.renderer import PART_NAMES
from stam_core.actions.skeleton import (
    JOINT_INDEX,
    JOINTS,
    MIRRORED_JOINTS,
    Body,
    Pose,
    place_joints,
)
from stam_core.actions.store import open_store, store_folder
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.video.encode import write_mp4

SMALL = RenderSpec(width=64, height=64, num_frames=8)


def test_labels_are_the_sixteen_of_the_model():
    assert LABELS == (
        "walk", "run", "jump", "jumping jacks", "wave one hand", "wave two hands", "bend down",
        "straighten up", "squat", "kick", "punch", "sit down", "stand up", "fall down", "get up",
        "clap",
    )  # fmt: skip


@pytest.mark.parametrize("action", LABELS)
def test_every_action_renders_with_its_truth(action):
    clip = render_clip(5, seed=3, spec=SMALL, action=action)
    assert clip.frames.shape == (1, 8, 64, 64, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.joints.shape == (1, 8, len(JOINTS), 2)
    assert clip.parts.shape == (1, 8, 64, 64)
    assert clip.moving.shape == (1, 8, len(PART_NAMES))
    assert LABELS[clip.labels[0]] == action
    assert clip.moving.any()
    assert 1 <= clip.key_frames.sum() <= 8
    assert np.isfinite(clip.joints).all()
    share = (clip.parts > 0).mean()
    assert 0.03 < share < 0.5, "the person fills a plausible part of the picture"


def test_clip_is_the_same_whatever_is_rendered_with_it():
    batch = render_clips(6, seed=11, spec=SMALL)
    alone = render_clip(4, seed=11, spec=SMALL)
    later = render_clips(2, seed=11, spec=SMALL, first=4)
    np.testing.assert_array_equal(batch.frames[4], alone.frames[0])
    np.testing.assert_array_equal(batch.joints[4:6], later.joints)
    np.testing.assert_array_equal(batch.labels, np.arange(6))
    assert not np.array_equal(alone.frames, render_clip(4, seed=12, spec=SMALL).frames)


def test_worker_processes_change_nothing():
    one = render_clips(3, seed=2, spec=SMALL)
    two = render_clips(3, seed=2, spec=SMALL, workers=2)
    np.testing.assert_array_equal(one.frames, two.frames)


@pytest.mark.parametrize(("forwards", "backwards"), TIME_PAIRS)
def test_time_pairs_are_each_other_backwards(forwards, backwards):
    u = np.linspace(0.0, 1.0, 16)
    there = place_joints(ACTIONS[forwards](u, np.random.default_rng(8)), Body())
    back = place_joints(ACTIONS[backwards](u, np.random.default_rng(8)), Body())
    np.testing.assert_allclose(back, there[::-1], atol=1e-12)
    assert np.abs(there[0] - there[-1]).max() > 0.2, "something happens"


def test_lowest_joint_stands_on_the_floor_and_jumps_leave_it():
    u = np.linspace(0.0, 1.0, 32)
    for action in ("squat", "sit down", "fall down", "walk"):
        lowest = place_joints(ACTIONS[action](u, np.random.default_rng(1)), Body())[..., 1].min(
            axis=1
        )
        np.testing.assert_allclose(lowest, 0.03, atol=1e-9)
    jump = place_joints(ACTIONS["jump"](u, np.random.default_rng(1)), Body())[..., 1].min(axis=1)
    assert jump.max() > 0.15


def test_bones_keep_their_length():
    body = Body()
    for motion in ACTIONS.values():
        joints = place_joints(motion(np.linspace(0, 1, 12), np.random.default_rng(4)), body)
        for side in ("left", "right"):
            thigh = joints[:, JOINT_INDEX[f"{side} hip"]] - joints[:, JOINT_INDEX[f"{side} knee"]]
            np.testing.assert_allclose(np.linalg.norm(thigh, axis=1), body.thigh, atol=1e-9)
            arm = joints[:, JOINT_INDEX[f"{side} elbow"]] - joints[:, JOINT_INDEX[f"{side} wrist"]]
            np.testing.assert_allclose(np.linalg.norm(arm, axis=1), body.forearm, atol=1e-9)


def test_arm_angles_by_hand():
    pose, body = Pose.standing(3), Body()
    pose.arms[1, 0, 0] = np.pi / 2  # left arm forward
    pose.arms[2, 0, 1] = np.pi / 2  # left arm to the side
    joints = place_joints(pose, body)
    reach = joints[:, JOINT_INDEX["left wrist"]] - joints[:, JOINT_INDEX["left shoulder"]]
    length = body.upper_arm + body.forearm
    np.testing.assert_allclose(reach, [[0, -length, 0], [0, 0, length], [length, 0, 0]], atol=1e-12)


def test_clapping_hands_meet_and_part():
    joints = place_joints(ACTIONS["clap"](np.linspace(0, 1, 64), np.random.default_rng(0)), Body())
    left, right = joints[:, JOINT_INDEX["left wrist"]], joints[:, JOINT_INDEX["right wrist"]]
    apart = np.linalg.norm(left - right, axis=1)
    assert apart.min() < 0.08
    assert apart.max() > 0.2


def test_true_joints_lie_inside_the_drawn_body():
    clips = render_clips(16, seed=6, spec=RenderSpec(clutter=0.0))
    x = np.clip(np.floor(clips.joints[..., 0]).astype(int), 0, 111)
    y = np.clip(np.floor(clips.joints[..., 1]).astype(int), 0, 111)
    n, t = np.arange(16)[:, None, None], np.arange(16)[None, :, None]
    on_body = clips.parts[n, t, y, x] > 0
    inside = ((clips.joints >= 0) & (clips.joints < 112)).all(axis=-1)
    assert inside.mean() > 0.98, "the person stays in the picture"
    assert on_body[inside].mean() > 0.97
    assert on_body[clips.visible].all()
    assert 0.5 < clips.visible.mean() < 1.0


def test_moving_mask_follows_the_waving_arm():
    clip = render_clip(0, seed=9, spec=RenderSpec(clutter=0.0), action="wave one hand")
    names = np.array(PART_NAMES)
    moving = set(names[clip.moving[0].any(axis=0)])
    arm = {"upper arm", "forearm", "hand"}
    hands = [side for side in ("left", "right") if f"{side} hand" in moving]
    assert len(hands) == 1
    assert moving <= {f"{hands[0]} {part}" for part in arm}
    mask = clip.moving_mask()
    assert mask.shape == (1, 16, 112, 112)
    shown = set(np.unique(clip.parts[mask])) - {0}
    assert shown <= {1 + PART_NAMES.index(name) for name in moving}


def test_clutter_adds_variety_to_the_wall():
    def spread(clutter):
        clips = render_clips(
            24,
            seed=1,
            spec=RenderSpec(width=48, height=48, num_frames=2, clutter=clutter, noise=0.0),
        )
        return float(np.mean([clip[:, :12].std(axis=(0, 1)).mean() for clip in clips.frames[:, 0]]))

    assert spread(1.0) > 2.0 * spread(0.0)


def test_bad_requests_say_what_is_wrong():
    with pytest.raises(UnknownNameError, match="no action 'fly'"):
        render_clip(0, seed=0, spec=SMALL, action="fly")
    with pytest.raises(ParameterError, match="at least 16x16"):
        RenderSpec(width=8)
    with pytest.raises(ParameterError, match="clutter"):
        RenderSpec(clutter=2.0)
    with pytest.raises(ParameterError, match="At least one clip"):
        render_clips(0, seed=0)


def test_store_goes_on_where_it_stopped(tmp_path):
    spec = RenderSpec(width=32, height=32, num_frames=4)
    store = open_store(tmp_path, 40, seed=5, first=7, spec=spec, workers=1)
    expected = render_clips(40, seed=5, first=7, spec=spec)
    np.testing.assert_array_equal(store.frames, expected.frames)
    np.testing.assert_array_equal(store.labels, expected.labels)
    folder = store_folder(tmp_path, 40, seed=5, first=7, spec=spec)
    (folder / "truth-00001.npz").unlink()
    chunks: list[float] = []
    again = open_store(
        tmp_path,
        40,
        seed=5,
        first=7,
        spec=spec,
        workers=1,
        progress=lambda _, share: chunks.append(share),
    )
    assert chunks == [1.0], "only the missing chunk is rendered"
    np.testing.assert_array_equal(again.joints, expected.joints)


def test_patch_targets_by_hand():
    # Grid of 2x2 patches of 4 pixels: centres at 2 and 6. A joint at (4, 2) lies between the upper
    # two.
    targets = patch_targets(torch.tensor([[[4.0, 2.0], [0.0, 0.0], [99.0, 99.0]]]), side=8, grid=2)
    expected = torch.tensor([[[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]])
    torch.testing.assert_close(targets, expected)


def test_bin_targets_peak_where_the_joint_is():
    targets = bin_targets(torch.tensor([[[10.0, 110.0]]]), side=112)
    assert targets.shape == (1, 1, 2, 28)
    assert targets.argmax(-1).tolist() == [[[2, 27]]]
    torch.testing.assert_close(targets.sum(-1), torch.ones(1, 1, 2))


def test_mirrored_frames_swap_left_and_right():
    frames = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4)
    joints = torch.zeros(2, len(JOINTS), 2)
    joints[:, JOINT_INDEX["left wrist"], 0] = 1.0
    depths = torch.arange(2.0 * len(JOINTS)).view(2, -1)
    turned, places, behind = mirror_frames(frames, joints, depths, torch.tensor([True, False]))
    torch.testing.assert_close(turned[0], frames[0].flip(-1))
    torch.testing.assert_close(turned[1], frames[1])
    assert places[0, JOINT_INDEX["right wrist"], 0] == 3.0
    assert places[1, JOINT_INDEX["left wrist"], 0] == 1.0
    assert behind[0].tolist() == [depths[0, j] for j in MIRRORED_JOINTS]


def test_written_film_holds_every_frame_and_its_colours(tmp_path):
    frames = np.zeros((7, 33, 48, 3), dtype=np.uint8)
    frames[3:, :, :, 0] = 200
    path = write_mp4(tmp_path / "film.mp4", frames, 12.5)
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert float(stream.average_rate) == 12.5
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(32, 48, 3)] * 7
    assert pictures[0].max() < 12
    assert abs(int(pictures[6][16, 24, 0]) - 200) < 12
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.mp4"]


def test_film_of_something_else_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"needs frames \[T,H,W,3\] of uint8"):
        write_mp4(tmp_path / "a.mp4", np.zeros((2, 8, 8, 3), dtype=np.float32), 10.0)
    with pytest.raises(ParameterError, match="Frames per second"):
        write_mp4(tmp_path / "a.mp4", np.zeros((2, 8, 8, 3), dtype=np.uint8), 0.0)
    assert list(tmp_path.iterdir()) == []
