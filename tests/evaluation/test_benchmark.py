"""Benchmarks: systems whose answers are known get the figures that can be worked out by hand."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.evaluation.benchmark import run_benchmark
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.tracking import clear, concatenate, frames_from_boxes, identity
from choros.evaluation.pooled import METRICS, pooled_scores
from choros.evaluation.sources import TEST_SETS, SceneSource, open_data
from choros.motion import Motion
from choros.scenes import KINDS, Scene, SceneConfig, make_scene

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


# Known answers ------------------------------------------------------------------------------------------


def test_known_systems_side_by_side(data, truths):
    """Swapped, 2 of the 60 true places are switches. Of 24 places in the first clip 12 keep their identity, and
    each of the four pairs of identities is together for 6 frames of 6 + 6 + 6."""
    systems = {
        "truth": told(*truths),
        "nobody": told(*(changed(t, t.rows[:0]) for t in truths)),
        "swapped": told(swapped(truths[0]), truths[1]),
    }
    records = run_benchmark(systems, [data])
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
    (record,) = run_benchmark({"nobody": told(*(changed(t, t.rows[:0]) for t in truths))}, [data])
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record) == {"system", "data", "clips", "frames", "metrics", "runtime"}
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
    scores = pooled_scores(pairs, body)
    assert expected["id_switches"] > 0
    for name in ("HOTA", "IDF1", "MOTA", "id_switches"):
        assert scores[name] == pytest.approx(expected[name]), name


# In the image and in the world --------------------------------------------------------------------------


def test_someone_who_drifts(truths, body):
    """At 0.5 m/s, feet slide 50 cm/s and places are wrong by 0.5 m/s times the time since the start."""
    rows = truths[0].rows.copy()
    rows["transl"][:, 0] += 0.5 * rows["frame"] / FPS
    scores = pooled_scores([(truths[0], changed(truths[0], rows))], body)
    assert scores["foot_slide_cm_s"] == pytest.approx(50, rel=1e-4)
    assert scores["g_mpjpe_mm"] == pytest.approx(500 * np.arange(FRAMES).mean() / FPS, rel=1e-3)
    assert scores["mpjpe_mm"] == pytest.approx(0, abs=1e-2)


def test_a_camera_that_is_not_known_has_no_world(truths, body):
    """Neither where it moves nor where the truth does not tell it; one that the prediction tells is used."""
    truth = truths[0]
    still = replace(truth, frames=truth.frames.copy())
    still.frames["T_world_camera"] = np.eye(4)
    moving = replace(truth, frames=truth.frames.copy())
    moving.frames["T_world_camera"][:, 0, 3] += 0.3 * np.arange(FRAMES)
    for true, said in ((still, still), (moving, still)):
        scores = pooled_scores([(true, said)], body)
        assert np.isnan([scores["g_mpjpe_mm"], scores["foot_slide_cm_s"]]).all()
    assert pooled_scores([(moving, moving)], body)["g_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    # The camera runs 3 m/s, the prediction says it stands: everybody seems to keep still, 3 m/s wrong.
    assert pooled_scores([(moving, truth)], body)["g_mpjpe_mm"] == pytest.approx(300 * 5.5, rel=1e-3)


def test_keypoints_in_the_image(truths, body):
    """Of three people one is said to stand beside their keypoints; another's keypoints count half the time."""
    truth = truths[1]
    true_rows, rows = truth.rows.copy(), truth.rows.copy()
    true_rows["keypoints_px"][(true_rows["person"] == 2) & (true_rows["frame"] % 2 == 0), :, 2] = 0
    rows["transl"][rows["person"] == 3, 0] += 1
    scores = pooled_scores([(changed(truth, true_rows), changed(truth, rows))], body)
    assert scores["pck_05"] == pytest.approx(1.5 / 2.5)


# Data names ---------------------------------------------------------------------------------------------


def test_named_sets_are_ten_clips_of_their_own():
    seeds = []
    for name in TEST_SETS:
        sources = open_data(name)
        assert len(sources) == 10
        for source in sources:
            assert 96 <= source.config.seconds * source.config.fps <= 300
            assert 700_000 <= source.seed < 800_000
            assert source.kind in KINDS
            seeds.append(source.seed)
    assert len(set(seeds)) == len(seeds)


class FoundRoom(Exception):
    """Everybody's part was given out; the rest of a scene cannot fail."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TEST_SETS)
def test_everybody_in_a_named_set_finds_room(name, monkeypatch):
    def cast(*_):
        raise FoundRoom

    monkeypatch.setattr(Scene, "_cast", cast)
    for source in open_data(name):
        with pytest.raises(FoundRoom):
            make_scene(source.kind, source.seed, source.config)


def test_scenes_by_kind_and_seed():
    assert [s.name for s in open_data("scene:crossing:900001:3")] == [
        f"scene:crossing:{seed}" for seed in (900001, 900002, 900003)
    ]
    assert [s.name for s in open_data("scene:easy:5")] == ["scene:easy:5"]


def test_a_scene_is_filmed_with_its_truth(tmp_path):
    config = SceneConfig(128, 96, Fraction(10), 0.3, people=2)
    clip = SceneSource("easy", 1, config).open(tmp_path, lambda what, done, total: None)
    SceneSource("easy", 1, config).open(tmp_path / "again", lambda what, done, total: None)
    assert clip.video.read_bytes() == (tmp_path / "again" / "video.mp4").read_bytes()
    (source,) = open_data(str(tmp_path / "again"))
    assert source.open(tmp_path, lambda *_: None).truth.rows.tobytes() == clip.truth.rows.tobytes()
    assert len(clip.truth) == 3


def test_clips_of_a_folder_come_in_order(data):
    assert [s.name for s in open_data(data)] == [f"{data}/clip0", f"{data}/clip1"]


def test_a_video_without_truth_is_timed_only(data, truths):
    video, system = f"{data}/clip1/video.mp4", {"told": told(*truths)}
    with pytest.raises(ChorosError, match="without truth"):
        run_benchmark(system, [video])
    (record,) = run_benchmark(system, [video], need_truth=False)
    assert record["frames"] == FRAMES
    assert record["runtime"]["fps"] > 0
    assert set(record["metrics"].values()) == {None}


@pytest.mark.parametrize(
    "name", ["scene:circus:1", "scene:easy", "scene:easy:-1", "scene:easy:1:0", "world", "/nowhere/at/all"]
)
def test_names_that_mean_nothing_are_refused(name):
    with pytest.raises(ChorosError, match=name):
        open_data(name)


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(ChorosError, match="holds no clip"):
        open_data(str(tmp_path))


def test_clips_of_different_frame_rates_are_refused(truths):
    slow = replace(truths[0], header=replace(truths[0].header, fps=Fraction(5)))
    with pytest.raises(ChorosError, match="one frame rate"):
        pooled_scores([(truths[0], truths[0]), (slow, slow)])
