"""Scenes as files: what is written comes back through the readers of the public data sets' own forms."""

import hashlib
import json
import threading
from dataclasses import fields, replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from choros.datasets.coco import read_coco
from choros.datasets.posetrack import read_posetrack
from choros.datasets.sample import to_coco17
from choros.errors import ChorosError
from choros.evaluation.metrics.posetrack import in_ignore_region
from choros.exporters.coco import POSETRACK17
from choros.motion import Motion
from choros.scenes import SceneConfig, make_scene
from choros.scenes.truth.scene_truth import SceneTruth
from choros.scenes.truth.writers import (
    FORMATS,
    LABELLED_PX,
    ensure_scene,
    ignore_regions,
    labelled,
    write_coco,
    write_mot_sequence,
    write_posetrack,
)

SMALL = SceneConfig(width=192, height=108, fps=Fraction(10), seconds=0.5, people=4)


@pytest.fixture(scope="module")
def scene():
    return make_scene("crossing", 3, SMALL)


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "all"
    scene.write(folder, formats=FORMATS)
    return folder


def people_at(truth, frame, visible_share):
    """Numbers of the people who are shown in a frame, and the identities."""
    numbers = np.flatnonzero(visible_share[frame])
    return numbers, [int(p) for p in truth.person[numbers]]


def crowded():
    """Three people of a made truth: one in full view, one a dot in the distance, one hidden beside the dot."""
    zeros = {f.name: np.zeros((1, 3, 1), np.float32) for f in fields(SceneTruth)}
    box = np.array([[[10, 10, 60, 110], [100, 20, 104, 32], [102, 25, 140, 100]]], np.float32)
    points = np.zeros((1, 3, 17, 3), np.float32)
    points[..., :2], points[:, 0, :5, 2] = np.linspace(-4.25, 80, 17)[:, None], 1
    known = {
        "person": np.array([1, 2, 3], np.int32),
        "K": np.eye(3)[None],
        "T_world_camera": np.eye(4)[None],
        "in_frame": np.ones((1, 3), bool),
        "box_px": box,
        "amodal_box_px": box,
        "visible_fraction": np.array([[1, 1, 0.02]], np.float32),
        "keypoints_px": points,
        "head_px": np.ones((1, 3, 2, 3), np.float32),
    }
    return SceneTruth(**(zeros | known))


def test_motion_and_arrays(scene, folder):
    assert Motion.load(folder / "motion.npz").rows.tobytes() == scene.truth.rows.tobytes()
    arrays = SceneTruth.load(folder / "arrays.npz")
    for field in fields(SceneTruth):
        back, true = getattr(arrays, field.name), getattr(scene.arrays, field.name)
        assert back.dtype == true.dtype
        np.testing.assert_array_equal(back, true, err_msg=field.name)


def test_coco_comes_back(scene, folder):
    truth, samples = scene.arrays, read_coco(folder / "coco.json", folder / "img1")
    assert len(samples) == scene.n_frames
    for frame, sample in enumerate(samples):
        numbers, _ = people_at(truth, frame, labelled(truth))
        assert len(sample.people) == len(numbers)
        assert cv2.imread(str(sample.image)).shape[:2] == (108, 192) == sample.size_px[::-1]
        for number, person in zip(numbers, sample.people, strict=True):
            points = truth.keypoints_px[frame, number]
            inside = np.all((points[:, :2] >= 0) & (points[:, :2] < [192, 108]), axis=1)
            np.testing.assert_allclose(person.keypoints_px[inside, :2], points[inside, :2], atol=1e-6)
            np.testing.assert_array_equal(person.keypoints_px[:, 2] > 0, inside)
            np.testing.assert_array_equal(person.keypoints_visible, inside & (points[:, 2] > 0))
            np.testing.assert_allclose(person.box_px, truth.box_px[frame, number], atol=1e-6)


def test_posetrack_comes_back(scene, folder):
    truth, video = scene.arrays, read_posetrack(folder / "posetrack.json", folder)
    assert len(video) == scene.n_frames
    for frame, sample in enumerate(video):
        numbers, identities = people_at(truth, frame, labelled(truth))
        assert [person.identity for person in sample.people] == identities
        assert sample.image.is_file()
        for number, person in zip(numbers, sample.people, strict=True):
            points = truth.keypoints_px[frame, number].copy()
            points[1:5] = 0  # no eyes, and ears that nobody labels
            points[points[:, 2] == 0] = 0
            np.testing.assert_allclose(to_coco17(person), points, atol=1e-6)
            np.testing.assert_allclose(person.box_px, truth.box_px[frame, number], atol=1e-6)
            top, bottom = (POSETRACK17.index(f"head_{end}") for end in ("top", "bottom"))
            if person.keypoints_px[top, 2] and person.keypoints_px[bottom, 2]:
                x0, y0, x1, y1 = person.head_box_px
                middle = person.keypoints_px[[top, bottom], :2].mean(axis=0)
                np.testing.assert_allclose([(x0 + x1) / 2, (y0 + y1) / 2], middle, atol=1e-4)


def test_mot_is_the_truth(scene, folder):
    rows = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",")
    truth = scene.truth
    assert len(rows) == len(truth.rows)
    np.testing.assert_array_equal(rows[:, 0], truth.row_frame + 1)
    np.testing.assert_array_equal(rows[:, 1], truth.row_person)
    np.testing.assert_allclose(rows[:, 2:4], truth.box_px[:, :2], atol=0.006)
    np.testing.assert_allclose(rows[:, 4:6], truth.box_px[:, 2:] - truth.box_px[:, :2], atol=0.006)
    np.testing.assert_allclose(rows[:, 8], scene.visible_fraction, atol=6e-5)
    assert f"seqLength={scene.n_frames}\n" in (folder / "seqinfo.ini").read_text()


def test_mot_challenge_counts_whom_it_should(tmp_path):
    """The official evaluation, given every true box, finds one person and nothing false."""
    trackeval = pytest.importorskip("trackeval")
    folder = tmp_path / "gt" / "made"
    write_mot_sequence(folder, crowded(), 192, 108, Fraction(10), "made")
    lines = (folder / "gt" / "gt.txt").read_text().splitlines()
    said = tmp_path / "trackers" / "all" / "data" / "made.txt"
    said.parent.mkdir(parents=True)
    said.write_text("\n".join(",".join([*line.split(",")[:6], "1,-1,-1,-1"]) for line in lines) + "\n")
    sets = {"GT_FOLDER": tmp_path / "gt", "TRACKERS_FOLDER": tmp_path / "trackers", "OUTPUT_FOLDER": tmp_path}
    quiet = {"SKIP_SPLIT_FOL": True, "PRINT_CONFIG": False, "SEQ_INFO": {"made": None}}
    dataset = trackeval.datasets.MotChallenge2DBox({k: str(v) for k, v in sets.items()} | quiet)
    data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("all", "made"), "pedestrian")
    scores = trackeval.metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    assert (scores["CLR_TP"], scores["CLR_FN"], scores["CLR_FP"]) == (1, 0, 0)


def test_masks_come_back(scene, folder):
    for frame in (0, scene.n_frames - 1):
        mask = cv2.imread(str(folder / "masks" / f"{frame + 1:06d}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, scene.masks(frame))


def test_dots_and_hidden_people_are_ignored_not_labelled(tmp_path):
    truth = crowded()
    np.testing.assert_array_equal(labelled(truth), [[True, False, False]])
    np.testing.assert_array_equal(ignore_regions(truth, 0), [[100, 20, 140, 100]])  # one around both
    write_posetrack(tmp_path / "p.json", truth, 192, 108, "made")
    write_coco(tmp_path / "c.json", truth, 192, 108)
    for sample in (
        read_posetrack(tmp_path / "p.json", tmp_path)[0],
        read_coco(tmp_path / "c.json", tmp_path)[0],
    ):
        assert len(sample.people) == 1
        (region,) = sample.ignore_px
        assert in_ignore_region(truth.box_px[0], [region]).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("write", "digest"),
    [
        (write_coco, "775abfad68482ae783f0df9fd0e36e5ae65c63e05157f3c43c930f78870da4ab"),
        (
            lambda *scene: write_posetrack(*scene, "made"),
            "d5d31d563648eecafbb777800655c720f3de6e1edf13366b6aa3f1a22d87dd2a",
        ),
    ],
)
def test_the_truth_of_a_scene_keeps_its_bytes(write, digest, tmp_path):
    write(tmp_path / "truth.json", crowded(), 192, 108)
    assert hashlib.sha256((tmp_path / "truth.json").read_bytes()).hexdigest() == digest


def test_coco_labels_hidden_points_and_none_outside(tmp_path):
    write_coco(tmp_path / "c.json", crowded(), 192, 108)
    (person,) = read_coco(tmp_path / "c.json", tmp_path)[0].people
    assert person.keypoints_px[0, 2] == 0  # at -4.25 px
    assert person.keypoints_visible.tolist() == [False, True, True, True, True, *[False] * 12]
    assert person.keypoints_px[1:, 2].all()


def test_small_people_are_those_below_the_limit():
    truth = crowded()
    box = truth.box_px.copy()
    for height, visible_share in ((LABELLED_PX - 0.5, False), (LABELLED_PX + 0.5, True)):
        box[0, 0, 3] = box[0, 0, 1] + height
        assert labelled(replace(truth, box_px=box))[0, 0] == visible_share


def test_a_scene_is_made_once(tmp_path, monkeypatch):
    config, told = replace(SMALL, seconds=0.1), []
    folder = tmp_path / "easy_000005"
    assert ensure_scene(folder, "easy", 5, config, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]
    assert json.loads((folder / "scene.json").read_text())["seed"] == 5
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]
    assert not ensure_scene(folder, "easy", 5, config)  # there already
    for other in (replace(config, people=2), config):
        formats = ("motion",) if other != config else ("motion", "coco")
        with pytest.raises(ChorosError, match="easy_000005 holds something else"):
            ensure_scene(folder, "easy", 5, other, formats)


def test_a_scene_that_another_run_is_making_is_left_to_it(tmp_path):
    folder, said = tmp_path / "easy_000005", []

    def other_run(done, total):
        def make():
            with pytest.raises(ChorosError, match="another run"):
                ensure_scene(folder, "easy", 5, config)
            said.append(done)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()

    config = replace(SMALL, seconds=0.1)
    assert ensure_scene(folder, "easy", 5, config, progress=other_run)
    assert said == [1]
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]


def test_a_stopped_scene_leaves_nothing_that_looks_whole(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    config = replace(SMALL, seconds=0.2)
    folder = tmp_path / "easy_000005"
    with pytest.raises(KeyboardInterrupt):
        ensure_scene(folder, "easy", 5, config, progress=stop)
    assert not folder.exists()
    assert ensure_scene(folder, "easy", 5, config)
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]


def test_bad_input_is_said(scene, tmp_path):
    with pytest.raises(ChorosError, match='"avi"'):
        scene.write(tmp_path / "x", formats=("avi",))
    with pytest.raises(ChorosError, match=r"nothing\.npz"):
        SceneTruth.load(tmp_path / "nothing.npz")
