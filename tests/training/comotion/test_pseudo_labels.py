"""Pseudo-labels: each filter finds its own flaw, and what is written comes back as clips where it was."""

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import intrinsics, project
from choros.cli.train_comotion import Comotion
from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.lifter.lift import Lifting
from choros.motion import ROW
from choros.skeleton import JOINT_NAMES
from choros.training.comotion.footage import open_pseudo_labels, pseudo_labelled, with_footage
from choros.training.comotion.pseudo_labels import (
    Filters,
    Judge,
    LabelledFrame,
    Labeller,
    PseudoLabelWriter,
    shrunk,
    write_set,
)
from choros.training.comotion.recipe import SMALL
from choros.video import open_video

WIDTH, HEIGHT = 800, 600
K = intrinsics(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def judge(body):
    return Judge(Lifting(body), Filters())


def evidence(lifting, rows):
    """Where the keypoints of rows are in the image, (n, 17, 2) px."""
    pose = np.concatenate([rows["global_orient"], rows["body_pose"]], -1).reshape(-1, 3)
    rotations = Rotation.from_rotvec(pose).as_matrix().reshape(-1, 24, 3, 3)
    points = lifting.keypoints_cam(rotations, rows["betas"].astype(float), rows["transl"].astype(float))
    return project(points, K)


def standing(lifting, places_m):
    """Rows of people who stand as motion capture does on average, facing the camera, seen without error."""
    rows = np.zeros(len(places_m), ROW)
    rows["person"], rows["visible"], rows["confidence"] = np.arange(1, len(rows) + 1), True, 0.9
    rows["global_orient"][:, 0], rows["transl"] = np.pi, np.reshape(places_m, (-1, 3))
    rows["body_pose"][:, :63] = lifting.prior.mean
    return seen_there(lifting, rows)


def seen_there(lifting, rows):
    rows["keypoints_px"][..., :2], rows["keypoints_px"][..., 2] = evidence(lifting, rows), 0.9
    points = rows["keypoints_px"][..., :2]
    rows["box_px"] = np.concatenate([points.min(1) - 10, points.max(1) + 10], -1)
    return rows


def flawed(lifting, flaw):
    """One person with that flaw and no other, and the detection's score."""
    rows = standing(lifting, [[0.2, 0, 5]])
    if flaw == "keypoints":
        rows["keypoints_px"][:, 4:, 2] = 0.2
    elif flaw == "betas":
        rows["betas"][:, 1] = -3
    elif flaw == "pose":
        rows["body_pose"][:, 3 * (JOINT_NAMES.index("left_knee") - 1) + 2] += 1  # sideways, as no knee bends
    if flaw in ("betas", "pose"):
        rows = seen_there(lifting, rows)
    if flaw in ("error", "nobody"):
        share = 0.07 if flaw == "error" else 0.15
        rows["keypoints_px"][..., 0] += share * np.ptp(rows["keypoints_px"][0, :, 1])
    return rows, np.array([0.35 if flaw == "score" else 0.8])


@pytest.mark.parametrize("flaw", [None, "score", "keypoints", "betas", "pose", "error", "nobody"])
def test_each_filter_finds_its_own_flaw(judge, flaw):
    verdict = judge(*flawed(judge.lifting, flaw), K)
    expected = {"nobody", "error"} if flaw == "nobody" else {flaw} - {None}
    assert {name for name, passed in verdict._asdict().items() if not passed[0]} == expected
    assert verdict.seen[0] == (flaw not in ("score", "keypoints", "nobody"))
    assert verdict.passed[0] == (flaw is None)


def test_strangeness_counts_standard_deviations_of_one_joint(judge):
    prior = judge.lifting.prior
    samples = np.random.default_rng(0).normal(size=(40_000, 63)) @ np.linalg.inv(prior.precision_root).T
    pose = np.zeros((1, 69))
    pose[0, :63] = prior.mean
    assert judge.strangeness(pose)[0] == pytest.approx(0)
    elbow = 3 * (JOINT_NAMES.index("left_elbow") - 1)
    spread, axes = np.linalg.eigh(np.cov(samples[:, elbow : elbow + 3].T))
    pose[0, elbow : elbow + 3] += 5 * np.sqrt(spread[0]) * axes[:, 0]
    assert judge.strangeness(pose)[0] == pytest.approx(5, rel=0.03)


def test_the_error_is_a_share_of_the_size_at_any_distance(judge):
    rows = standing(judge.lifting, [[0, 0, 3], [1, 0, 12]])
    rows["keypoints_px"][..., :2] += (
        0.03 * np.ptp(rows["keypoints_px"][..., 1], axis=1)[:, None, None] * [0.6, 0.8]
    )
    np.testing.assert_allclose(judge.error(rows, K), 0.03, rtol=1e-4)
    rows["keypoints_px"][1, :, 2] = 0.1
    assert judge.error(rows, K)[1] == np.inf
    rows["transl"][0, 2] = -3  # behind the camera
    assert judge.error(rows, K)[0] == np.inf


def labelled(lifting, places_m, gap_before=False, number=0, everyone=True):
    image = np.full((HEIGHT, WIDTH, 3), 30 * number, np.uint8)
    rows = standing(lifting, places_m)
    return LabelledFrame(image, Fraction(number, 10), gap_before, K, rows, everyone, Counter())


def test_a_part_comes_back_as_clips(tmp_path, judge, body):
    """Frames are made smaller with all that is in them; a fit that is not believed leaves its keypoints."""
    part = PseudoLabelWriter(tmp_path / "set" / "street", Fraction(10), "street.mp4")
    frames = [labelled(judge.lifting, [[0, 0, 4], [1, 0, 5]], number=i, everyone=i != 2) for i in range(3)]
    frames[1].rows["confidence"][1] = 0
    for frame in frames:
        part.add(frame)
    part.save()
    (tmp_path / "set" / "about.json").write_text(
        json.dumps({"licence": "mine", "parts": [{"folder": "street"}]})
    )

    (read,) = open_pseudo_labels(tmp_path / "set")
    assert (read.motion.width, read.motion.height) == (640, 480)
    assert read.motion.pts == [Fraction(i, 10) for i in range(3)]
    clip = read.clip(range(3), body)
    assert clip.images.shape == (3, 480, 640, 3)
    assert [round(float(image.mean())) for image in clip.images] == [0, 30, 60]
    np.testing.assert_allclose(clip.K[0], np.diag([0.8, 0.8, 1]) @ K, rtol=1e-6)
    before = frames[0].rows
    np.testing.assert_allclose(
        clip.first_box_px, np.clip(0.8 * before["box_px"], 0, [640, 480] * 2), rtol=1e-5
    )
    np.testing.assert_allclose(clip.points_px[0, :, 24], 0.8 * before["keypoints_px"][:, 0, :2], rtol=1e-5)
    np.testing.assert_allclose(clip.rho[0], np.log(640 / np.array([4, 5])), atol=0.02)
    assert clip.posed.tolist() == clip.placed.tolist() == [[True, True], [True, False], [True, True]]
    assert clip.pointed[1, 1, 24] == np.float32(0.9)
    assert not clip.everyone
    assert read.clip(range(2), body).everyone


def test_clips_do_not_reach_over_gaps_and_begin_with_somebody(tmp_path, judge):
    part = PseudoLabelWriter(tmp_path / "part", Fraction(10), "street.mp4")
    for number, places in enumerate(([[0, 0, 4]], [[0, 0, 4]], [], [[0, 0, 4]], [[0, 0, 4]])):
        part.add(labelled(judge.lifting, places, gap_before=number in (0, 3), number=number))
    part.save()
    (tmp_path / "about.json").write_text(json.dumps({"licence": "mine", "parts": [{"folder": "part"}]}))
    (read,) = open_pseudo_labels(tmp_path)
    assert read.motion.row_person.tolist() == [1, 1, 2, 2]  # after the gap it is somebody else
    assert read.starts(1).tolist() == [0, 1, 3, 4]
    assert read.starts(2).tolist() == [0, 1, 3]
    assert read.starts(3).tolist() == [0]
    assert read.starts(6).tolist() == []
    clips = pseudo_labelled([read])
    assert [len(next(clips(1, frames, 0))) for frames in (2, 4)] == [2, 1]  # no 4 in a row: single pictures


class Director:
    """Detector and keypoint network that are told who is in a picture, by the value of its first pixel."""

    def __init__(self, lifting):
        self.lifting = lifting
        self.scenes = {}

    def detect(self, image):
        """Who is in it; nobody where the picture was turned over, whose first pixel names no scene."""
        people = self.scenes.get(int(image[0, 0, 0]), self.scenes[next(iter(self.scenes))][:0])
        return people["box_px"].copy(), np.full(len(people), 0.8, np.float32)

    def estimate(self, image, boxes_px):
        everybody = np.concatenate(list(self.scenes.values()))
        return np.stack(
            [everybody[(everybody["box_px"] == box).all(-1)][0]["keypoints_px"] for box in boxes_px]
        )

    def shoot(self, folder, number, colour, places_m):
        """Write a picture of people at these places."""
        self.scenes[number] = standing(self.lifting, places_m)
        image = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
        image[::2] //= 2
        image[0, 0] = number
        folder.mkdir(exist_ok=True, parents=True)
        assert cv2.imwrite(str(folder / f"{number:03d}.png"), image)


@pytest.fixture
def director(judge):
    return Director(judge.lifting)


def labeller_of(director, filters=None, marks=None):
    return Labeller(filters, PersonFinder(director, director), marks)


def test_a_video_is_labelled_shot_by_shot(tmp_path, director):
    """Nobody (10), one person who is hidden at 13 (11 to 15), another shot (16 to 18)."""
    for number in range(10, 16):
        director.shoot(tmp_path, number, (40, 80, 200), [] if number in (10, 13) else [[0.02 * number, 0, 4]])
    for number in range(16, 19):
        director.shoot(tmp_path, number, (200, 60, 10), [[0.3, 0, 4]])
    with open_video(tmp_path) as reader:
        frames = list(labeller_of(director).video(reader))
    assert [frame.pts * 30 for frame in frames] == [*range(1, 9)]  # the first shows nobody, and is left out
    assert [frame.gap_before for frame in frames] == [True, *4 * [False], True, *2 * [False]]
    assert [len(frame.rows) for frame in frames] == [1, 1, 0, 1, 1, 1, 1, 1]
    assert [frame.everyone for frame in frames] == [
        i != 2 for i in range(8)
    ]  # who is hidden may be half seen


def test_a_set_counts_what_became_of_whom(tmp_path, director):
    """Pictures of no video, one of them broken, one of two people, one of nobody."""
    album = tmp_path / "album"
    director.shoot(album, 20, (90, 90, 90), [[0, 0, 4]])
    director.shoot(album / "deeper", 21, (90, 90, 90), [[-1.2, 0, 4], [1.2, 0, 4]])
    director.shoot(album, 22, (90, 90, 90), [])
    (album / "broken.jpg").write_bytes(b"no picture")
    strict = replace(Filters(), error=0.0)  # which no fit is good enough for
    said = []
    about = write_set(
        [album], tmp_path / "set", pictures=True, licence="CC0",
        labeller=labeller_of(director, strict), report=lambda name, done: said.append((name, done)),
    )  # fmt: skip
    assert said == [("album", i) for i in range(1, 5)]
    counts = about["counts"]
    assert (counts["detected"], counts["only_2d"], counts["failed_error"]) == (3, 3, 3)
    assert (counts["frames"], counts["everyone"], counts["passed"], counts["unread"]) == (2, 0, 0, 1)
    assert json.loads((tmp_path / "set" / "about.json").read_text()) == about
    (part,) = open_pseudo_labels(tmp_path / "set")
    assert part.licence == "CC0"
    assert part.motion.row_person.tolist() == [1, 2, 3]
    assert part.starts(1).tolist() == [0, 1]
    assert part.starts(2).tolist() == []
    with pytest.raises(ChorosError, match="is not empty"):
        write_set([album], tmp_path / "set", pictures=True, labeller=labeller_of(director))


def test_marked_people_are_lifted_from_their_marks_and_nobody_else_is_looked_for(tmp_path, director):
    """One picture with marks, of which one person has none; another picture without marks."""
    album = tmp_path / "album"
    director.shoot(album, 20, (90, 90, 90), [[0, 0, 4], [1, 0, 4]])
    director.shoot(album, 21, (90, 90, 90), [[0, 0, 5]])
    marked, unmarked = director.scenes[20]
    flat = np.where(np.arange(3) < 2, marked["keypoints_px"] - 0.5, 2).ravel().tolist()

    def person(number, box, **more):
        x0, y0, x1, y1 = box.tolist()
        about = {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0}
        return about | {"bbox": [x0, y0, x1 - x0, y1 - y0]} | more

    content = {
        "images": [{"id": 1, "file_name": "020.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [person(1, marked["box_px"], keypoints=flat), person(2, unmarked["box_px"])],
        "categories": [{"id": 1, "name": "person"}],
    }
    (tmp_path / "marks.json").write_text(json.dumps(content))
    labeller = labeller_of(director, marks=tmp_path / "marks.json")
    about = write_set([album], tmp_path / "set", pictures=True, labeller=labeller)
    assert (about["counts"]["detected"], about["counts"]["passed"]) == (3, 2)
    assert about["counts"]["everyone"] == 1  # in the first picture somebody is not marked
    (part,) = open_pseudo_labels(tmp_path / "set")
    row, other = part.motion.rows
    scale = part.motion.width / WIDTH
    np.testing.assert_allclose(row["keypoints_px"][:, :2], scale * marked["keypoints_px"][:, :2], atol=1e-3)
    assert (row["keypoints_px"][:, 2] == 1).all()
    assert min(row["confidence"], other["confidence"]) > 0  # both fits are believed
    assert other["keypoints_px"][:, 2].max() < 1  # as the finder says


def test_footage_follows_from_its_seed_and_joins_a_recipe(tmp_path, director):
    for number in range(30, 36):
        director.shoot(tmp_path / "walk", number, (90, 90, 90), [[0.02 * number, 0, 4]])
    write_set([tmp_path / "walk"], tmp_path / "set", labeller=labeller_of(director))
    parts = open_pseudo_labels(tmp_path / "set")
    clips = pseudo_labelled(parts)(7, 4, 0)
    firsts = [next(clips).first_box_px[0, 0] for _ in range(6)]
    assert len(set(firsts)) == 3  # places for four frames
    again = pseudo_labelled(parts)(7, 4, 4)
    assert [next(again).first_box_px[0, 0] for _ in range(2)] == firsts[4:]

    mixed = with_footage(SMALL, {"walk": parts}, 0.2)
    assert [stage.sources[:-2] for stage in mixed.stages] == [stage.sources for stage in SMALL.stages]
    for stage, of_small in zip(mixed.stages, SMALL.stages, strict=True):
        added = stage.sources[-2:]
        assert [source.aspect for source in added] == [16 / 9, 9 / 16]  # in the shapes of the others
        assert {source.frames for source in added} == {max(source.frames for source in of_small.sources)}
        share = sum(source.share for source in added)
        assert share == pytest.approx(0.2 * sum(source.share for source in stage.sources))
    assert with_footage(SMALL, {}, 0.2) == SMALL

    footage, labelled_sets = Comotion(output=tmp_path, data=(f"walk={tmp_path / 'set'}",))._data()
    assert list(labelled_sets) == ["walk"]
    assert [next(footage["walk"](7, 4, 4)).first_box_px[0, 0]] == firsts[4:5]
    with pytest.raises(ChorosError, match="NAME=DIR"):
        Comotion(output=tmp_path, data=("walk",))._data()


def test_what_is_no_set_is_said_to_be_none(tmp_path):
    with pytest.raises(ChorosError, match="pseudo-label"):
        open_pseudo_labels(tmp_path)


def test_pictures_shrink_to_one_size_and_no_further():
    small, scale = shrunk(np.zeros((1080, 1921, 3), np.uint8))
    assert small.shape == (360, 640, 3)
    np.testing.assert_allclose(scale, [640 / 1921, 360 / 1080])
    same = np.zeros((300, 400, 3), np.uint8)
    assert shrunk(same)[0] is same
