"""Benchmarks: systems whose answers are known get the figures that can be worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.evaluation.benchmark import METRICS, Recorded, clip_name, run_benchmark
from choros.evaluation.compare import compare, pooled_scores
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.tracking import clear, concatenate, frames_from_boxes, identity
from choros.evaluation.sources import open_data
from choros.evaluation.world_errors import WORLD_MEANS
from choros.motion import Motion

from .truths import FPS, FRAMES, HEIGHT, WIDTH, Told, changed, standing, swapped, write_clip

GREYS = (60, 180)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load()


@pytest.fixture(scope="module")
def truths(body) -> list[Motion]:
    return [standing(2, body), standing(3, body)]


@pytest.fixture(scope="module")
def data(tmp_path_factory, truths) -> str:
    """A folder of two clips, of two and of three people."""
    folder = tmp_path_factory.mktemp("data")
    for number, (truth, grey) in enumerate(zip(truths, GREYS, strict=True)):
        write_clip(folder / f"clip{number}", truth, grey)
    return str(folder)


def told(*motions: Motion) -> Told:
    return Told(dict(zip(GREYS, motions, strict=True)))


def scores_of(pairs: list[tuple[Motion, Motion]], body: BodyModel) -> dict[str, float]:
    return pooled_scores([compare(truth, said, body) for truth, said in pairs])


# Known answers ------------------------------------------------------------------------------------------


def test_known_systems_side_by_side(data, truths):
    """Swapped, 2 of the 60 true places are switches. Of 24 places in the first clip 12 keep their identity, and
    each of the four pairs of identities is together for 6 frames of 6 + 6 + 6."""
    systems = {
        "truth": told(*truths),
        "nobody": told(*(changed(t, t.rows[:0]) for t in truths)),
        "swapped": told(swapped(truths[0]), truths[1]),
    }
    records = [run.record() for run in run_benchmark(systems, {data: open_data(data)})]
    assert [(r["system"], r["data"], r["clips"], r["frames"]) for r in records] == [
        (name, data, 2, 2 * FRAMES) for name in systems
    ]
    perfect, nobody, halved = (r["metrics"] for r in records)
    assert [perfect[k] for k in ("HOTA", "IDF1", "MOTA", "id_switches", "pck_05")] == pytest.approx(
        [1, 1, 1, 0, 1]
    )
    errors = ("mpjpe_mm", "pa_mpjpe_mm", "mpjpe_occluded_mm", "accel_mm_s2", "g_mpjpe_mm", "foot_slide_cm_s")
    assert [perfect[k] for k in errors] == pytest.approx([0] * len(errors), abs=1e-2)

    assert [nobody[k] for k in ("HOTA", "IDF1", "MOTA", "id_switches")] == [0, 0, 0, 0]
    assert [nobody[k] for k in (*errors, "pck_05")] == [None] * 7

    assert halved["id_switches"] == 2
    assert halved["MOTA"] == pytest.approx(1 - 2 / 60)
    assert halved["IDF1"] == pytest.approx((12 + 36) / 60)
    assert halved["HOTA"] == pytest.approx(np.sqrt((24 * (6 / 18) + 36) / 60))
    assert halved["mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def test_records_are_json_without_nan(data, truths):
    (run,) = run_benchmark(
        {"nobody": told(*(changed(t, t.rows[:0]) for t in truths))}, {data: open_data(data)}
    )
    record = run.record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record) == {"system", "data", "protocol", "clips", "frames", "metrics", "runtime", "per_clip"}
    assert tuple(record["metrics"]) == METRICS
    runtime = record["runtime"]
    assert set(runtime) == {"fps", "ms_per_frame", "peak_mb"}
    assert runtime["fps"] * runtime["ms_per_frame"] == pytest.approx(1000)


def test_clips_are_pooled_as_sequences_are(truths, body):
    """Equal to the tracking metrics of the concatenated sequences, whatever is wrong in them."""
    rng = np.random.default_rng(5)
    pairs = []
    for truth in truths:
        rows = swapped(truth).rows[rng.random(len(truth.rows)) < 0.8].copy()
        rows["visible"] = True
        rows["box_px"] += rng.normal(scale=4, size=rows["box_px"].shape)
        rows["box_px"] = np.clip(rows["box_px"], 0, [WIDTH, HEIGHT] * 2)
        pairs.append((truth, changed(truth, rows)))
    frames = concatenate(
        [
            frames_from_boxes(*(motion.rows[key] for motion in pair for key in ("frame", "person", "box_px")))
            for pair in pairs
        ]
    )
    expected = clear(frames) | identity(frames) | hota(frames)
    scores = scores_of(pairs, body)
    assert expected["id_switches"] > 0
    for name in ("HOTA", "IDF1", "MOTA", "id_switches"):
        assert scores[name] == pytest.approx(expected[name]), name


# In the image and in the world --------------------------------------------------------------------------


def test_someone_who_drifts(truths, body):
    """At 0.5 m/s, feet slide 50 cm/s and places are wrong by 0.5 m/s times the time since the start."""
    rows = truths[0].rows.copy()
    rows["transl"][:, 0] += 0.5 * rows["frame"] / FPS
    scores = scores_of([(truths[0], changed(truths[0], rows))], body)
    assert scores["foot_slide_cm_s"] == pytest.approx(50, rel=1e-4)
    assert scores["g_mpjpe_mm"] == pytest.approx(500 * np.arange(FRAMES).mean() / FPS, rel=1e-3)
    assert scores["mpjpe_mm"] == pytest.approx(0, abs=1e-2)


def with_cameras(motion: Motion, T_world_camera) -> Motion:
    frames = motion.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = T_world_camera, True
    return replace(motion, frames=frames)


def without_cameras(motion: Motion) -> Motion:
    """Nothing but the flag says so: the poses that stand there are not to be looked at."""
    frames = motion.frames.copy()
    frames["camera_known"] = False
    return replace(motion, frames=frames)


def test_a_truth_without_cameras_has_no_world(truths, body):
    nowhere = without_cameras(truths[0])
    scores = scores_of([(nowhere, truths[0])], body)
    assert np.isnan([scores[name] for name in WORLD_MEANS if not name.startswith("relative")]).all()
    assert scores["relative_translation_mm"] == pytest.approx(0, abs=1e-3)


def test_whose_camera_shows_a_prediction_to_the_world(truths, body):
    """A camera runs 3 m/s to the right past people who stand still (so they move to the left in its axes).

    Who tells that camera is right. Who tells nothing says that the camera stands where it began: everybody
    seems to run 3 m/s, as feet that should rest do, and is 3 m/s times the time wrong.
    """
    still = truths[0]
    steps = 0.3 * np.arange(FRAMES)
    cameras = still.T_world_camera.copy()
    cameras[:, 0, 3] += steps
    rows = still.rows.copy()
    rows["transl"][:, 0] -= steps[rows["frame"]]
    moving = with_cameras(changed(still, rows), cameras)
    assert scores_of([(moving, moving)], body)["g_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    for told in (without_cameras(moving), with_cameras(moving, still.T_world_camera)):
        scores = scores_of([(moving, told)], body)
        assert scores["g_mpjpe_mm"] == pytest.approx(300 * 5.5, rel=1e-3)
        assert scores["foot_slide_cm_s"] == pytest.approx(300, rel=1e-3)
        assert scores["mpjpe_mm"] == pytest.approx(0, abs=1e-2)


def in_world(motion: Motion, body: BodyModel) -> Motion:
    """The same people in world space: turned about their pelvis, which is at rest joint 0 + transl."""
    rows = motion.rows.copy()
    T = motion.T_world_camera[rows["frame"]]
    rest = body.rest_joints(torch.tensor(rows["betas"].copy()), torch.tensor(rows["kid"].copy()))[
        :, 0
    ].numpy()
    pelvis = np.einsum("nij,nj->ni", T[:, :3, :3], rows["transl"] + rest) + T[:, :3, 3]
    rows["transl"] = pelvis - rest
    turned = Rotation.from_matrix(T[:, :3, :3]) * Rotation.from_rotvec(rows["global_orient"])
    rows["global_orient"] = turned.as_rotvec()
    return Motion(replace(motion.header, space="world"), motion.frames, rows)


def test_a_motion_in_world_space_is_the_same_motion(truths, body):
    """Truth and prediction may be in either space; a world that is turned about z and moved is forgiven."""
    truth = truths[1]
    rng = np.random.default_rng(3)
    rows = truth.rows.copy()
    rows["body_pose"] += rng.normal(scale=0.1, size=rows["body_pose"].shape)
    rows["transl"] += rng.normal(scale=0.05, size=rows["transl"].shape)
    said = changed(truth, rows)
    expected = scores_of([(truth, said)], body)
    assert expected["g_mpjpe_mm"] > 20
    for pair in (
        (truth, in_world(said, body)),
        (in_world(truth, body), said),
        (in_world(truth, body), in_world(said, body)),
    ):
        assert scores_of([pair], body) == pytest.approx(expected, rel=1e-3, abs=1e-3, nan_ok=True)

    elsewhere = np.eye(4)
    elsewhere[:3, :3], elsewhere[:3, 3] = Rotation.from_rotvec((0, 0, 1.0)).as_matrix(), (5, -3, 0)
    other = with_cameras(said, elsewhere @ said.T_world_camera)
    assert scores_of([(truth, in_world(other, body))], body) == pytest.approx(
        expected, rel=1e-3, abs=1e-3, nan_ok=True
    )


def test_sunk_feet_and_people_turned_to_each_other(truths, body):
    """Everybody 10 cm too low: so deep are the soles at the least. One of two turned: both see the other turned."""
    rows = truths[0].rows.copy()
    rows["transl"][:, 1] += 2.0
    scores = scores_of([(truths[0], changed(truths[0], rows))], body)
    assert 300 < scores["ground_penetration_mm"] < 2000
    assert scores["g_mpjpe_mm"] == pytest.approx(2000, rel=1e-3)
    assert scores["g_pve_mm"] == pytest.approx(2000, rel=1e-3)
    assert scores["relative_translation_mm"] == pytest.approx(0, abs=1e-2)

    rows = truths[0].rows.copy()
    second = rows["person"] == 2
    turned = Rotation.from_rotvec(rows["global_orient"][second]) * Rotation.from_rotvec((0, 0.5, 0))
    rows["global_orient"][second] = turned.as_rotvec()
    scores = scores_of([(truths[0], changed(truths[0], rows))], body)
    assert scores["relative_rotation_deg"] == pytest.approx(np.rad2deg(0.5), rel=1e-3)


def test_being_lost_begins_no_new_window(truths, body):
    """Drifting at 0.5 m/s and lost for 3 of 12 frames: the alignment is still that of the first frame."""
    rows = truths[0].rows.copy()
    rows["transl"][:, 0] += 0.5 * rows["frame"] / FPS
    shown = ~np.isin(rows["frame"], (4, 5, 6))
    scores = scores_of([(truths[0], changed(truths[0], rows[shown]))], body)
    frames = np.setdiff1d(np.arange(FRAMES), (4, 5, 6))
    assert scores["g_mpjpe_mm"] == pytest.approx(500 * frames.mean() / FPS, rel=1e-3)


def test_keypoints_in_the_image(truths, body):
    """Of three people one is said to stand beside their keypoints; another's keypoints count half the time."""
    truth = truths[1]
    true_rows, rows = truth.rows.copy(), truth.rows.copy()
    true_rows["keypoints_px"][(true_rows["person"] == 2) & (true_rows["frame"] % 2 == 0), :, 2] = 0
    rows["transl"][rows["person"] == 3, 0] += 1
    scores = scores_of([(changed(truth, true_rows), changed(truth, rows))], body)
    assert scores["pck_05"] == pytest.approx(1.5 / 2.5)


# Data names ---------------------------------------------------------------------------------------------


def test_clips_of_a_folder_come_in_order(data):
    assert [s.name for s in open_data(data)] == [f"{data}/clip0", f"{data}/clip1"]


def test_a_video_without_truth_is_timed_only(data, truths):
    video, system = f"{data}/clip1/video.mp4", {"told": told(*truths)}
    with pytest.raises(ChorosError, match="without truth"):
        run_benchmark(system, {video: open_data(video)})
    (run,) = run_benchmark(system, {video: open_data(video)}, need_truth=False)
    record = run.record()
    assert record["frames"] == FRAMES
    assert record["runtime"]["fps"] > 0
    assert set(record["metrics"].values()) == {None}


def test_clips_are_called_as_their_folders(data):
    assert [clip_name(source) for source in open_data(data)] == ["clip0", "clip1"]
    assert clip_name(open_data("scene:crossing:5")[0]) == "crossing_000005"


def test_a_recorded_system_says_what_it_said(data, truths, tmp_path):
    """Kept by one run, read by another: the same scores, no run time."""
    sources = {data: open_data(data)}
    (first,) = run_benchmark({"swapped": told(*map(swapped, truths))}, sources, keep=tmp_path)
    (again,) = run_benchmark({"file": Recorded(tmp_path / "swapped")}, sources)
    assert again.record()["metrics"] == first.record()["metrics"]
    assert again.record()["per_clip"] == first.record()["per_clip"]
    assert [clip["clip"] for clip in again.record()["per_clip"]] == ["clip0", "clip1"]
    assert again.record()["runtime"] == {"fps": None, "ms_per_frame": None, "peak_mb": None}
    with pytest.raises(ChorosError, match="holds neither clip0"):
        run_benchmark({"file": Recorded(tmp_path)}, sources)
