"""The rendered-actions dataset: repeatable, mirrored in time where it says so, and truthful."""

from __future__ import annotations

from dataclasses import replace

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
from stam_core.actions.camera import Camera
from stam_core.actions.compose import surroundings
from stam_core.actions.figure import OTHER_PART, PART_NAMES, PARTS
from stam_core.actions.motions import LOCOMOTION, Moments
from stam_core.actions.people import perform, turning
from stam_core.actions.pose_loss import (
    PoseHeads,
    PoseTruth,
    bin_targets,
    mirror_frames,
    patch_targets,
    pose_loss,
)
from stam_core.actions.roaming import dark_dress, full_hands, roam
from stam_core.actions.scene import choose_look, margin_pixels
from stam_core.actions.skeleton import (
    JOINT_INDEX,
    JOINTS,
    MIRRORED_JOINTS,
    Body,
    Pose,
    place_joints,
)
from stam_core.actions.store import open_store, store_folder
from stam_core.actions.timing import Timing
from stam_core.actions.truth import patch_cover
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.video.encode import write_mp4
from stam_core.video.sample import uniform_indices

SMALL = RenderSpec(width=64, height=64, num_frames=8)


def moments(num_frames: int, duration: float = 3.0) -> Moments:
    return Moments(np.linspace(0.0, duration, num_frames), duration)


def joints_of(action: str, when: Moments, seed: int, body: Body | None = None):
    return place_joints(ACTIONS[action](when, np.random.default_rng(seed)), body or Body())


def test_labels_are_different_and_pairs_are_among_them():
    assert len(set(LABELS)) == len(LABELS) >= 20
    assert {label for pair in TIME_PAIRS for label in pair} <= set(LABELS)


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
    assert 1 <= clip.deciding.sum() <= 8
    assert np.isfinite(clip.joints).all()
    assert (np.diff(clip.seconds[0]) >= 0).all()
    person = ((clip.parts > 0) & (clip.parts <= len(PARTS)))[0].any(axis=(1, 2))
    assert person.mean() >= 0.4, "the person is in the picture most of the time"
    assert not clip.key_frames[0][~person].any()
    assert not clip.deciding[0][~person].any()


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
    there, back = joints_of(forwards, moments(16), 8), joints_of(backwards, moments(16), 8)
    np.testing.assert_allclose(back, there[::-1], atol=1e-12)
    assert np.abs(there - there[0]).max() > 0.2, "something happens"


def test_a_pose_depends_on_its_moment_alone():
    for action in LABELS:
        whole = joints_of(action, moments(13), 6)
        some = Moments(moments(13).seconds[[2, 9]], 3.0)
        np.testing.assert_allclose(joints_of(action, some, 6), whole[[2, 9]], atol=1e-9)


def test_lowest_joint_stands_on_the_floor_and_jumps_leave_it():
    for action in ("squat", "sit down", "fall down", "walk", "turn around", "pick up"):
        lowest = joints_of(action, moments(32), 1)[..., 1].min(axis=1)
        np.testing.assert_allclose(lowest, 0.03, atol=1e-9)
    for action in ("jump", "skip"):
        assert joints_of(action, moments(64), 1)[..., 1].min(axis=1).max() > 0.08


def test_bones_keep_their_length():
    body = Body()
    for action in LABELS:
        joints = joints_of(action, moments(12), 4, body)
        for side in ("left", "right"):
            thigh = joints[:, JOINT_INDEX[f"{side} hip"]] - joints[:, JOINT_INDEX[f"{side} knee"]]
            np.testing.assert_allclose(np.linalg.norm(thigh, axis=1), body.thigh, atol=1e-9)
            arm = joints[:, JOINT_INDEX[f"{side} elbow"]] - joints[:, JOINT_INDEX[f"{side} wrist"]]
            np.testing.assert_allclose(np.linalg.norm(arm, axis=1), body.forearm, atol=1e-9)


def test_walkers_get_on_and_runners_get_on_faster():
    def speed(action):
        way = [
            np.ptp(ACTIONS[action](moments(32), np.random.default_rng(seed)).travel[:, 1])
            for seed in range(8)
        ]
        return np.mean(way) / 3.0  # body heights per second

    assert 0.4 < speed("walk") < 1.2
    assert speed("run") > 1.5 * speed("walk")


def test_turning_around_shows_the_back():
    joints = joints_of("turn around", moments(32), 3)
    across = joints[:, JOINT_INDEX["left shoulder"]] - joints[:, JOINT_INDEX["right shoulder"]]
    assert across[0] @ across[-1] < -0.7 * (across[0] @ across[0])


def test_frames_are_those_that_uniform_sampling_takes():
    rng = np.random.default_rng(0)
    for _ in range(50):
        timing = Timing.random(rng, "walk", num_frames=16)
        n_frames = round(timing.duration * timing.fps)
        np.testing.assert_allclose(
            timing.seconds, np.array(uniform_indices(n_frames, 16)) / timing.fps
        )


def test_what_is_picked_up_is_on_the_floor_before_and_in_the_hands_after():
    rng = np.random.default_rng(1)
    timing = Timing.random(rng, "pick up", num_frames=16)
    person = perform(rng, "pick up", timing)
    thing = person.pose.thing
    assert thing is not None
    assert person.grasp is not None
    assert 0.0 < thing.moment < timing.duration
    np.testing.assert_array_equal(thing.held, timing.seconds >= thing.moment)
    wrist = JOINT_INDEX[("left wrist", "right wrist")[thing.hands[0]]]
    assert person.grasp[wrist, 1] < 0.45 * person.local[0, 0, JOINT_INDEX["neck"], 1]


def test_limited_paths_stay_near_the_picture_and_before_the_camera():
    rng = np.random.default_rng(2)
    for _ in range(40):
        camera = Camera.random(rng, "walk", 1.0)
        view = camera.frame(np.full((1, len(JOINTS), 3), (0.0, 0.5, 0.0)), width=112, height=112)
        far = np.linspace(-30, 30, 9)[:, None] * np.array([[0.3, 0.0, 1.0]])
        seen = view.limit_path(far, follow=0.0)
        assert np.abs(seen @ camera.axes()[0]).max() * view.scale <= 1.16 * 112
        assert (camera.distance + seen @ camera.axes()[2]).min() > 1.0
        assert not view.limit_path(far, follow=1.0).any()


def test_who_roams_are_those_who_go_somewhere_or_stand():
    settled, roaming = (
        render_clips(len(LABELS), seed=5, spec=replace(SMALL, roaming=share))
        for share in (0.0, 1.0)
    )
    changed = (settled.frames != roaming.frames).any(axis=(1, 2, 3, 4))
    assert {LABELS[k] for k in roaming.labels[changed]} == {*LOCOMOTION, "idle"}
    assert roaming.seconds[changed].max() <= 4.0


def test_bent_ways_turn_those_who_go_along_and_nothing_else():
    timing = Timing(2.0, 8.0, np.arange(16) / 8.0, 0.0)
    straight = perform(np.random.default_rng(3), "walk", timing)
    turned_by = []
    for seed in range(12):
        bent = roam(np.random.default_rng(seed), straight, timing)
        steps, before = np.diff(bent.path, axis=0), np.diff(straight.path, axis=0)
        length = np.linalg.norm(before, axis=1)
        np.testing.assert_allclose(np.linalg.norm(steps, axis=1), length, atol=1e-12)
        np.testing.assert_allclose(bent.local[..., 1], straight.local[..., 1], atol=1e-12)
        # Everybody walks where the body faces: across the line between the hips.
        hips = (
            bent.local[0, :, JOINT_INDEX["left hip"]] - bent.local[0, :, JOINT_INDEX["right hip"]]
        )
        across = 0.5 * (hips[1:] + hips[:-1])
        cosine = (across * steps).sum(axis=1) / (np.linalg.norm(across, axis=1) * length)
        np.testing.assert_allclose(cosine, 0.0, atol=0.01)
        turned_by.append(np.degrees(np.arccos(steps[0] @ steps[-1] / (length[0] * length[-1]))))
    assert 40.0 < max(turned_by) <= 100.0
    assert min(turned_by) < 20.0


def test_full_hands_stay_before_the_body_while_the_legs_walk():
    timing = Timing(2.0, 8.0, np.arange(16) / 8.0, 0.0)
    free, full = (
        perform(np.random.default_rng(3), "walk", timing, hold=hold).local[0]
        for hold in (None, {0: (0.3, 1.6)})
    )
    left, right = JOINT_INDEX["left wrist"], JOINT_INDEX["right wrist"]
    legs = [
        JOINT_INDEX[f"{side} {joint}"] for side in ("left", "right") for joint in ("knee", "ankle")
    ]
    np.testing.assert_array_equal(full[:, [right, *legs]], free[:, [right, *legs]])
    before = full[:, left, 2] - full[:, JOINT_INDEX["neck"], 2]
    assert before.min() > 0.1
    assert np.ptp(full[:, left, 2]) < 0.3 * np.ptp(free[:, left, 2])
    drawn = [full_hands(np.random.default_rng(seed), "walk") for seed in range(200)]
    assert {len(hold or {}) for hold in drawn} == {0, 1, 2}


def test_dark_dress_hides_where_limbs_end():
    rng = np.random.default_rng(0)
    look = choose_look(rng, np.full((64, 64, 3), 0.8, dtype=np.float32))
    looks = [dark_dress(rng, look) for _ in range(60)]
    dark = [worn for worn in looks if worn is not look]
    assert 10 < len(dark) < 35
    for worn in dark:
        assert not worn.patterns
        np.testing.assert_array_equal(worn.colours["shirt"], worn.colours["shin"])
        assert worn.colours["shirt"].max() < 0.2
        np.testing.assert_array_equal(worn.colours["skin"], look.colours["skin"])


def test_a_turn_to_the_left_by_hand():
    ahead, left = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(ahead @ turning(np.array(np.pi / 2)), left, atol=1e-12)


def test_surroundings_move_with_the_camera_and_never_end():
    margin = margin_pixels(20, 10)
    wall = np.random.default_rng(0).random((10 + 2 * margin, 20 + 2 * margin, 3)).astype(np.float32)
    shift = np.array([[0.0, 0.0], [1.0, -1.0], [500.0, 3.0]])
    planes = surroundings(wall, shift, width=20, height=10)
    centre = wall[margin : margin + 10, margin : margin + 20].transpose(2, 0, 1)
    np.testing.assert_array_equal(planes[0], centre)
    np.testing.assert_array_equal(planes[1][:, :-1, 1:], centre[:, 1:, :-1])
    assert np.isin(planes[2], wall).all()


def test_arm_angles_by_hand():
    pose, body = Pose.standing(3), Body()
    pose.arms[1, 0, 0] = np.pi / 2  # left arm forward
    pose.arms[2, 0, 1] = np.pi / 2  # left arm to the side
    joints = place_joints(pose, body)
    reach = joints[:, JOINT_INDEX["left wrist"]] - joints[:, JOINT_INDEX["left shoulder"]]
    length = body.upper_arm + body.forearm
    np.testing.assert_allclose(reach, [[0, -length, 0], [0, 0, length], [length, 0, 0]], atol=1e-12)


def test_clapping_hands_meet_and_part():
    joints = joints_of("clap", moments(200, 6.0), 0)
    left, right = joints[:, JOINT_INDEX["left wrist"]], joints[:, JOINT_INDEX["right wrist"]]
    apart = np.linalg.norm(left - right, axis=1)
    assert apart.min() < 0.08
    assert apart.max() > 0.2


def test_true_joints_lie_inside_the_drawn_body():
    clips = render_clips(len(LABELS), seed=6, spec=RenderSpec(clutter=0.0))
    x = np.clip(np.floor(clips.joints[..., 0]).astype(int), 0, 111)
    y = np.clip(np.floor(clips.joints[..., 1]).astype(int), 0, 111)
    n, t = np.arange(len(LABELS))[:, None, None], np.arange(16)[None, :, None]
    on_body = clips.parts[n, t, y, x] > 0
    inside = clips.inside
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
        spec = RenderSpec(width=48, height=48, num_frames=2, clutter=clutter)
        clips = render_clips(24, seed=1, spec=spec)
        return float(np.mean([clip[:, :12].std(axis=(0, 1)).mean() for clip in clips.frames[:, 0]]))

    assert spread(1.0) > 2.0 * spread(0.0)


def test_crowds_of_equals_are_not_asked_for_joints():
    clips = [render_clip(k, seed=4, spec=SMALL, action="walk") for k in range(40)]
    crowded = [clip for clip in clips if not clip.inside.any()]
    assert 1 <= len(crowded) <= 12
    for clip in crowded:
        assert clip.deciding.any(), "the action can still be told"
        assert (clip.parts == OTHER_PART).any()


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
    store = open_store(tmp_path, 40, seed=5, first=7, spec=spec, grid=4, workers=1)
    expected = render_clips(40, seed=5, first=7, spec=spec)
    np.testing.assert_array_equal(store.frames, expected.frames)
    np.testing.assert_array_equal(store.labels, expected.labels)
    folder = store_folder(tmp_path, 40, seed=5, first=7, spec=spec, grid=4)
    (folder / "truth-00001.npz").unlink()
    chunks: list[float] = []
    again = open_store(
        tmp_path,
        40,
        seed=5,
        first=7,
        spec=spec,
        grid=4,
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
    targets = bin_targets(torch.tensor([[[10.0, 126.0]]]), side=128)
    assert targets.shape == (1, 1, 2, 32)
    assert targets.argmax(-1).tolist() == [[[2, 31]]]
    torch.testing.assert_close(targets.sum(-1), torch.ones(1, 1, 2))


def _truth(n: int) -> PoseTruth:
    return PoseTruth(
        joints=torch.zeros(n, len(JOINTS), 2),
        depths=torch.arange(float(n * len(JOINTS))).view(n, -1),
        inside=torch.ones(n, len(JOINTS), dtype=torch.bool),
        deciding=torch.ones(n, dtype=torch.bool),
        cover=torch.zeros(n, 4, len(PARTS) + 2, dtype=torch.uint8) + 12,
        labels=torch.zeros(n, dtype=torch.long),
    )


def test_mirrored_frames_swap_left_and_right():
    frames = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4)
    truth = _truth(2)
    truth.joints[:, JOINT_INDEX["left wrist"], 0] = 1.0
    truth.inside[:, JOINT_INDEX["left knee"]] = False
    truth.cover[:, 0, 1 + PART_NAMES.index("left hand")] = 200
    turned, mirrored = mirror_frames(frames, truth, torch.tensor([True, False]))
    torch.testing.assert_close(turned[0], frames[0].flip(-1))
    torch.testing.assert_close(turned[1], frames[1])
    assert mirrored.joints[0, JOINT_INDEX["right wrist"], 0] == 3.0
    assert mirrored.joints[1, JOINT_INDEX["left wrist"], 0] == 1.0
    assert mirrored.depths[0].tolist() == [truth.depths[0, j] for j in MIRRORED_JOINTS]
    shown = (mirrored.cover == 200).nonzero().tolist()
    assert shown == [
        [0, 1, 1 + PART_NAMES.index("right hand")],
        [1, 0, 1 + PART_NAMES.index("left hand")],
    ]
    outside = (~mirrored.inside).nonzero().tolist()
    assert outside == [[0, JOINT_INDEX["right knee"]], [1, JOINT_INDEX["left knee"]]]


def test_patch_cover_by_hand():
    parts = np.zeros((1, 4, 4), dtype=np.uint8)
    parts[0, :2, 2:] = 3
    parts[0, 3, 0] = OTHER_PART
    cover = patch_cover(parts, 2)
    assert cover.shape == (1, 4, len(PARTS) + 2)
    assert cover[0, 1].nonzero()[0].tolist() == [3]
    assert cover[0, 1, 3] == 255
    assert cover[0, 2, [0, OTHER_PART]].tolist() == [191, 64]


def test_pose_loss_leaves_out_what_cannot_be_seen():
    torch.manual_seed(0)
    heads, tokens = PoseHeads(8, 3), torch.randn(4, 5, 8)
    truth = _truth(4)
    truth.inside[:, 3] = False
    truth.deciding[1] = False
    before, _ = pose_loss(heads, tokens, truth, side=8)
    truth.joints[:, 3] = 7.0
    truth.depths[:, 3] = -50.0
    truth.labels[1] = 2
    same, _ = pose_loss(heads, tokens, truth, side=8)
    assert same == before
    truth.joints[:, 4] = 7.0
    other, _ = pose_loss(heads, tokens, truth, side=8)
    assert other != before


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
