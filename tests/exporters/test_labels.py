"""COCO, PoseTrack and MOT: what systems saw in the image, read back by the readers of the public sets."""

import json
from dataclasses import replace

import numpy as np
import pytest

from choros.datasets.coco import read_coco
from choros.datasets.posetrack import read_posetrack
from choros.datasets.sample import to_coco17
from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.exporters.coco import POSETRACK17
from choros.exporters.labels import write_coco, write_posetrack
from choros.exporters.mot import write_mot
from choros.skeleton import COCO17, POSETRACK15
from tests.exporters.twin import BODY, of_one_shape, points
from tests.exporters.walkers import FRAMES, HEIGHT, THERE, UNSEEN, WIDTH, walkers

ANY = ExportOptions(body=BODY)
ASIDE_PX = np.array([3.0, 0.0])  # of evidence from the body's keypoints


def in_image(motion, person, keypoints):
    """A keypoint set of a person's bodies (n, K, 2), px."""
    rows = motion.person(person).rows

    places = points(motion, person, lambda params: BODY.keypoints(params, keypoints))
    homogeneous = np.einsum("nij,nkj->nki", motion.K[rows["frame"]], places)
    return homogeneous[..., :2] / homogeneous[..., 2:]


@pytest.fixture(scope="module")
def motion():
    """Evidence of all but what nobody saw: there is none for right knees, nor for who is not seen."""
    motion = of_one_shape(walkers())
    rows = motion.rows.copy()
    for person in THERE:
        mine = np.flatnonzero(rows["person"] == person)
        body_px = in_image(motion, person, "coco17")
        rows["box_px"][mine] = np.concatenate([body_px.min(1), body_px.max(1)], axis=1)
        rows["keypoints_px"][mine, :, :2] = body_px + ASIDE_PX
        rows["keypoints_px"][mine, :, 2] = 0.8 * rows["visible"][mine, None]
        rows["keypoints_px"][mine, COCO17.index("right_knee"), 2] = 0
    return replace(motion, rows=rows)


def everybody(motion):
    """Who is in each frame: (frame, [(person, row of that person)])."""
    for frame in range(FRAMES):
        yield frame, [(p, list(there).index(frame)) for p, there in THERE.items() if frame in there]


def test_coco_comes_back(motion, tmp_path):
    (file,) = write_coco(motion, tmp_path / "m.json", ANY)
    samples = read_coco(file, tmp_path)
    assert len(samples) == FRAMES
    annotations = iter(json.loads(file.read_text())["annotations"])
    knee = COCO17.index("right_knee")
    for frame, people in everybody(motion):
        assert len(samples[frame].people) == len(people)
        assert samples[frame].size_px == (WIDTH, HEIGHT)
        for (person, row), label in zip(people, samples[frame].people, strict=True):
            one, body_px = motion.person(person), in_image(motion, person, "coco17")[row]
            seen = np.arange(17) != knee if one.visible[row] else np.zeros(17, bool)
            true = np.where(seen[:, None], body_px + ASIDE_PX, body_px)
            inside = ((true >= 0) & (true < [WIDTH, HEIGHT])).all(axis=1)
            np.testing.assert_array_equal(label.keypoints_px[:, 2] > 0, inside)
            np.testing.assert_allclose(label.keypoints_px[inside, :2], true[inside], atol=0.01)
            np.testing.assert_array_equal(label.keypoints_visible, inside & seen)
            np.testing.assert_allclose(label.box_px, one.box_px[row], atol=1e-3)
            about = next(annotations)
            assert (about["track_id"], about["image_id"]) == (person, frame + 1)
            assert about["visible"] == bool(one.visible[row]) == (frame not in UNSEEN.get(person, ()))
            assert about["score"] == pytest.approx(0.9)


def test_cocos_own_evaluation_takes_it_as_truth_and_as_results(motion, tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    (file,) = write_coco(motion, tmp_path / "m.json", ANY)
    truth = coco.COCO(str(file))
    results = truth.loadRes(json.loads(file.read_text())["annotations"])
    evaluation = COCOeval(truth, results, "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)  # AP over all similarities


def test_posetrack_comes_back(motion, tmp_path):
    (file,) = write_posetrack(motion, tmp_path / "m.posetrack.json", ANY)
    video = read_posetrack(file, tmp_path)
    assert json.loads(file.read_text())["images"][0]["vid_id"] == "m"
    annotations = iter(json.loads(file.read_text())["annotations"])
    ears = [POSETRACK17.index(name) for name in ("left_ear", "right_ear")]
    head = [POSETRACK17.index(name) for name in ("head_bottom", "head_top")]
    body_head = [POSETRACK15.index(name) for name in ("head_bottom", "head_top")]
    for frame, people in everybody(motion):
        assert [label.identity for label in video[frame].people] == [person for person, _ in people]
        for (person, row), label in zip(people, video[frame].people, strict=True):
            about, one = next(annotations), motion.person(person)
            scores = np.array(about["scores"])
            if not one.visible[row]:
                assert not about["visible"]
                assert not label.keypoints_px.any()
                assert not scores.any()
                continue
            true = one.keypoints_px[row].copy()
            true[:, 2] = true[:, 2] > 0
            true[true[:, 2] == 0], true[1:5] = 0, 0
            np.testing.assert_allclose(to_coco17(label), true, atol=1e-4)
            in_picture = in_image(motion, person, "posetrack15")[row, body_head]
            np.testing.assert_allclose(label.keypoints_px[head, :2], in_picture, atol=0.01)
            assert not scores[ears].any()
            np.testing.assert_allclose(scores[head], 0.9, atol=1e-6)
            np.testing.assert_allclose(scores[5:], 0.8 * true[5:, 2], atol=1e-6)


def test_numbers_of_annotations_differ_whatever_the_identities(motion, tmp_path):
    rows = motion.rows.copy()
    rows["person"][rows["person"] == 5] = 1002
    (file,) = write_posetrack(replace(motion, rows=rows), tmp_path / "m.json", ANY)
    numbers = [label["id"] for label in json.loads(file.read_text())["annotations"]]
    assert len(set(numbers)) == len(numbers) == len(rows)


@pytest.mark.parametrize(("how", "shift"), [("named", 0), ("counted", 1)])
def test_pictures_have_the_sources_numbers(motion, tmp_path, how, shift):
    frames = motion.frames.copy()
    frames["number"][12:] += 5
    part = replace(motion, header=replace(motion.header, numbers=how), frames=frames)[8:]
    numbers = [n + shift for n in (*range(8, 12), *range(17, 35))]
    for write in (write_coco, write_posetrack):
        content = json.loads(write(part, tmp_path / "m.json", ANY)[0].read_text())
        assert [image["id"] for image in content["images"]] == numbers
        names = [image["file_name"].removeprefix("img1/") for image in content["images"]]
        assert names == [f"{n:06d}.jpg" for n in numbers]
        expected = [numbers[frame] for frame in part.row_frame]
        assert [label["image_id"] for label in content["annotations"]] == expected
    assert [image["frame_id"] for image in content["images"]] == numbers
    assert len({label["id"] for label in content["annotations"]}) == len(expected)


def test_a_world_without_a_camera_has_no_image(tmp_path):
    motion = walkers("world")
    motion.frames["camera_known"][3] = False
    for write in (write_coco, write_posetrack):
        with pytest.raises(ChorosError, match=r"m\.json holds places in the image.*walkers\.mp4"):
            write(motion, tmp_path / "m.json", ANY)


def test_motion_in_the_world_has_the_same_image(motion, tmp_path):
    world = replace(walkers("world"), rows=walkers("world").rows.copy())
    for name in ("box_px", "keypoints_px", "betas"):
        world.rows[name] = motion.rows[name]
    # Turning each pelvis by the camera leaves the body where it was only if transl is turned about the pelvis.
    T = motion.T_world_camera[motion.row_frame]
    for person in THERE:
        mine = motion.row_person == person
        pelvis = points(motion, person)[:, 0]
        rest = pelvis - motion.transl[mine]
        turned = np.einsum("nij,nj->ni", T[mine, :3, :3], pelvis) + T[mine, :3, 3]
        world.rows["transl"][mine] = turned - rest
    said = [read_coco(write_coco(m, tmp_path / "m.json", ANY)[0], tmp_path) for m in (motion, world)]
    for camera, again in zip(*said, strict=True):
        for a, b in zip(camera.people, again.people, strict=True):
            np.testing.assert_allclose(a.keypoints_px, b.keypoints_px, atol=0.01)


def test_mot_is_the_motions_own(motion, tmp_path):
    (file,) = write_mot(motion, tmp_path / "m.txt", ExportOptions(people=(2, 5)))
    lines = np.loadtxt(file, delimiter=",")
    expected = [
        (f + 1, p) for f in range(FRAMES) for p in (2, 5) if f in THERE[p] and not (p == 5 and f >= 20)
    ]
    assert [tuple(line) for line in lines[:, :2].astype(int)] == expected
    with pytest.raises(ChorosError, match="no person 3"):
        write_mot(motion, tmp_path / "n.txt", ExportOptions(people=(3,)))
