"""The lifter system's tracks on people whose keypoints are known: identities, occlusion, streaming, state."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from choros.body import BodyModel
from choros.camera import intrinsics, project
from choros.camera_motion.background import background
from choros.detection import Detections, PersonFinder
from choros.keypoints import box_iou
from choros.lifter.affinity import FrameDetections
from choros.lifter.config import LifterSystemConfig
from choros.lifter.lift import Lifting
from choros.lifter.tracker import LifterTracker
from choros.tracking.appearance import Colours
from choros.tracking.online import FrameFeatures, OnlineStream
from choros.video.cuts import sketch
from tests.scenery import scenery

WIDTH, HEIGHT, FPS = 960, 540, 25
K = intrinsics(WIDTH, HEIGHT)
UPRIGHT = np.diag([1.0, -1.0, -1.0])  # facing the camera


@pytest.fixture(scope="module")
def lifting():
    return Lifting(BodyModel.load(detail="light"))


def stream_of(lifting, config=None, K=K, finder=None):
    config = config or LifterSystemConfig()
    return OnlineStream(
        LifterTracker(finder, lifting, config), K,
        life=config.life, cuts=config.cuts, background=config.background,
    )  # fmt: skip


def look(lifting, places, shirts, hidden=(), facing=UPRIGHT):
    """People standing at ``places`` (n, 3) metres, seen without error, in shirts of a colour each."""
    n = len(places)
    rotations = np.tile(np.eye(3), (n, 24, 1, 1))
    rotations[:, 0] = facing
    points = lifting.keypoints_cam(rotations, np.zeros((n, 10)), np.asarray(places))
    keypoints = np.concatenate([project(points, K), np.full((n, 17, 1), 0.9)], -1)
    boxes = np.concatenate([keypoints[..., :2].min(1) - 10, keypoints[..., :2].max(1) + 10], -1)
    lab = np.repeat(np.asarray(shirts, float)[:, None], 3, 1)
    keep = [i for i in range(n) if i not in hidden]
    people = Detections(
        boxes[keep].astype(np.float32),
        np.full(len(keep), 0.8, np.float32),
        keypoints[keep].astype(np.float32),
    )
    return FrameFeatures(FrameDetections(people, Colours(lab[keep], np.ones((len(keep), 3)))), WIDTH, HEIGHT)


RED, BLUE = (50, 60, 40), (40, 10, -50)


def crossing(lifting, n_frames=100, occlusion=range(40, 58)):
    """Two people who walk past each other; the farther one is hidden around the middle."""
    for i in range(n_frames):
        t = i / FPS
        places = [[-2.2 + 1.1 * t, 0.2, 6.0], [2.2 - 1.1 * t, 0.2, 7.5]]
        yield t, look(lifting, places, [RED, BLUE], hidden=(1,) if i in occlusion else ())


def run(lifting, looks):
    stream = stream_of(lifting)
    return np.concatenate([stream.step(one, t).rows for t, one in looks])


def test_identities_survive_a_crossing(lifting):
    rows = run(lifting, crossing(lifting))
    assert np.unique(rows["person"]).tolist() == [1, 2]
    for person, sign in ((1, 1), (2, -1)):
        mine = rows[rows["person"] == person]
        assert len(mine) == 100  # no gap, hidden or not
        assert (np.diff(mine["transl"][:, 0]) * sign)[10:].mean() > 0
    hidden = rows[(rows["person"] == 2) & ~rows["visible"]]
    assert hidden["frame"].tolist() == list(range(40, 58))
    assert not hidden["keypoints_px"].any()
    truth = 2.2 - 1.1 * hidden["frame"] / FPS
    assert np.abs(hidden["transl"][:, 0] - truth).max() < 0.4  # metres; it walked on


def test_people_stand_where_they_are(lifting):
    rows = run(lifting, crossing(lifting))
    seen = rows[(rows["person"] == 1) & rows["visible"]][20:]
    assert np.abs(seen["transl"][:, 2] - 6.0).mean() < 0.6
    assert np.abs(seen["transl"][:, 0] - (-2.2 + 1.1 * seen["frame"] / FPS)).mean() < 0.25


def test_state_is_of_the_living_only(lifting):
    stream = stream_of(lifting)
    for i in range(200):
        place = [[-2 + 0.4 * (i // 20 % 10), 0.2, 5 + (i // 20) % 3]]  # every 0.8 s somebody elsewhere
        stream.step(look(lifting, place, [RED]), i / FPS)
    assert len(stream.state()["tracks"]) <= 4
    size = sum(array.nbytes for array in stream.state().values())
    assert size < 16_384 * 6  # half of it is the floor's account of everybody gone, of one size for good


def panning(lifting, hidden):
    """A camera torn to and fro at 60 degrees a second past three people; one is ``hidden`` in some frames.

    Gives times, looks, and the middle of everybody's box, px.
    """
    rng = np.random.default_rng(0)
    wall = sum(cv2.GaussianBlur(rng.normal(size=(1400, 2600)), (0, 0), size) * size for size in (4, 9, 25))
    wall = np.clip(128 + 50 * wall, 0, 255).astype(np.uint8)
    pelvis = lifting.points.shaped(np.zeros((1, 10)))[0][0, 0]  # of a body at rest at the origin
    places = np.array([[-1.3, 0.2, 6.0], [0.2, 0.2, 7.5], [1.4, 0.2, 6.5]])
    for i in range(60):
        ahead_deg = (
            12 * 2 / np.pi * np.arcsin(np.sin(2 * np.pi * 60 / 48 * i / FPS))
        )  # a saw of 48 degrees a period
        R = cv2.Rodrigues(np.array([0, np.radians(ahead_deg), 0]))[0]  # world to camera
        warp = K @ R @ np.linalg.inv(intrinsics(2600, 1400, focal_px=K[0, 0]))
        picture = cv2.warpPerspective(wall, warp, (WIDTH, HEIGHT))[..., None].repeat(3, -1)
        now = (places + pelvis) @ R.T - pelvis
        everybody = look(lifting, now, [RED] * 3, (), R @ UPRIGHT)
        one = look(lifting, now, [RED] * 3, (1,) if i in hidden else (), R @ UPRIGHT)
        behind = background(picture, one.found.people.boxes_px)
        yield i / FPS, replace(one, behind=behind), everybody.found.people.boxes_px[:, [0, 2]].mean(1)


def test_a_fast_pan_leaves_everybody_who_they_are(lifting):
    """Also somebody hidden, who goes on being where the camera would show them; and through a checkpoint."""
    hidden = range(12, 24)
    looks = list(panning(lifting, hidden))
    rows = run(lifting, [(t, one) for t, one, _ in looks])
    assert rows["person"].reshape(60, 3).tolist() == [[1, 2, 3]] * 60
    assert [i for i, seen in enumerate(rows["visible"].reshape(60, 3)[:, 1]) if not seen] == list(hidden)
    middle_px = rows["box_px"][:, [0, 2]].mean(1).reshape(60, 3)
    assert np.abs(middle_px - [true_px for *_, true_px in looks]).max() < 15  # it moves by 40 in each frame

    first = stream_of(lifting)
    before = [first.step(one, t).rows for t, one, _ in looks[:17]]
    second = stream_of(lifting, K=None)
    second.restore({name: array.copy() for name, array in first.state().items()})
    after = [second.step(one, t).rows for t, one, _ in looks[17:]]
    np.testing.assert_array_equal(np.concatenate(before + after), rows)


def test_a_lost_person_ends_and_is_marked_until_then(lifting):
    looks = [
        (i / FPS, look(lifting, [[0, 0.2, 5]], [RED], hidden=() if i < 25 else (0,))) for i in range(120)
    ]
    rows = run(lifting, looks)
    lost_s = LifterSystemConfig().life.lost_s
    assert rows["frame"].max() == pytest.approx(24 + lost_s * FPS, abs=1)
    assert rows["visible"].tolist() == [row["frame"] < 25 for row in rows]
    assert np.diff(rows["confidence"][25:]).max() < 0  # less sure from frame to frame


class KnownKeypoints:
    """A keypoint estimator that knows those of whoever stands in a box."""

    def __init__(self, people):
        self.people = people

    def estimate(self, image, boxes_px):
        nearest = np.abs(self.people.boxes_px[:, None] - boxes_px).sum(-1).argmin(0)
        return self.people.keypoints[nearest]


def test_people_who_are_given_stay_and_stay_the_only_ones(lifting):
    """Given the second person's box alone: never dropped, however long hidden, and nobody joins them."""
    places, shirts = [[-2.2, 0.2, 6.0], [2.2, 0.2, 7.5]], [RED, BLUE]
    first = look(lifting, places, shirts)
    finder = PersonFinder(None, KnownKeypoints(first.found.people))
    stream = stream_of(lifting, finder=finder)
    blue = cv2.cvtColor(np.array([[BLUE]], np.float32), cv2.COLOR_LAB2RGB)
    image = np.tile((255 * blue).astype(np.uint8), (HEIGHT, WIDTH, 1))
    rows = [stream.begin(image, first.found.people.boxes_px[1:], 0.0).rows]
    for i in range(1, 150):
        hidden = (1,) if 20 <= i < 140 else ()
        rows.append(stream.step(look(lifting, places, shirts, hidden), i / FPS).rows)
        if i == 60:  # also through a checkpoint
            state = stream.state()
            stream = stream_of(lifting, K=None)
            stream.restore(state)
    rows = np.concatenate(rows)
    assert rows["frame"].tolist() == list(range(150))
    assert set(rows["person"]) == {1}
    assert not rows["visible"][20:140].any()
    assert rows["visible"][:20].all()
    assert rows["visible"][141:].all()
    assert np.abs(rows["transl"][:, 0] - 2.2).max() < 0.5

    both = stream_of(lifting, finder=finder)
    rows = both.begin(image, first.found.people.boxes_px[::-1], 0.0).rows
    assert rows["person"].tolist() == [1, 2]  # in the order of the boxes
    assert rows["transl"][0, 0] > 1 > -1 > rows["transl"][1, 0]


def test_two_tracks_of_one_person_become_one(lifting):
    """Somebody is lost, comes in again at another place as somebody new, and walks to where the ghost stands."""
    looks = []
    for i in range(70):
        x = 0.0 if i < 25 else max(0.0, 2.4 - 2.4 * (i - 26) / 25)
        looks.append((i / FPS, look(lifting, [[x, 0.2, 5.0]], [RED], hidden=(0,) if i == 25 else ())))
    rows = run(lifting, looks)
    assert np.unique(rows["person"]).tolist() == [1, 2]
    assert set(rows["person"][rows["frame"] == 35]) == {1, 2}  # the ghost waits
    late = rows[rows["frame"] >= 55]
    assert set(late["person"]) == {2}
    assert late["visible"].all()


def test_a_ghost_beside_somebody_who_was_seen_with_them_stays_and_stands_behind(lifting):
    rows = run(lifting, crossing(lifting))
    for frame in range(44, 54):
        near, far = rows[rows["frame"] == frame]
        if abs(near["transl"][0] - far["transl"][0]) < 0.3:
            assert far["transl"][2] > near["transl"][2]


def test_what_is_hardly_believed_is_never_shown(lifting):
    """A signpost: found faintly, frame after frame, and its keypoints are not sure of anything."""
    looks = []
    for i in range(100):
        one = look(lifting, [[0, 0.2, 6.0]], [RED])
        one.found.people.scores[:] = 0.42
        one.found.people.keypoints[..., 2] = 0.35
        looks.append((i / FPS, one))
    assert not len(run(lifting, looks))


def scored(one, scores):
    people = one.found.people
    people = Detections(people.boxes_px, np.array(scores, np.float32), people.keypoints)
    return replace(one, found=one.found._replace(people=people))


def test_one_picture_shows_everybody_who_is_likely_there(lifting):
    group = look(lifting, [[-1.5, 0.2, 6], [0, 0.2, 6], [1.5, 0.2, 6]], [RED, BLUE, RED])
    stream = stream_of(lifting)
    rows = stream.step(scored(group, [0.84, 0.45, 0.3]), 0.0).rows
    assert len(rows) == 2  # of 0.3 one is not sure enough in any frame
    later = [
        stream.step(scored(look(lifting, [[-1.5, 0.2, 6]], [RED]), [0.84]), t).rows for t in (0.1, 0.2, 0.3)
    ]
    assert [len(rows) for rows in later] == [2, 2, 1]  # who is doubtful and not seen again does not linger


def test_whoever_is_certain_is_shown_at_once_in_a_crowd_unless_on_somebody(lifting):
    """With their arms out their boxes overlap."""
    one, beside = [0.0, 0.2, 5.0], [0.8, 0.2, 5.0]
    stream = stream_of(lifting)
    for t in (0.0, 0.1):
        assert len(stream.step(look(lifting, [one], [RED]), t).rows) == 1
    both = look(lifting, [one, beside], [RED, BLUE])
    assert box_iou(both.found.people.boxes_px[:1], both.found.people.boxes_px[1:])[0, 0] > 0.2
    state = stream.state()
    assert len(stream.step(scored(both, [0.8, 0.7]), 0.2).rows) == 2
    doubtful = stream_of(lifting)
    doubtful.restore(state)
    assert len(doubtful.step(scored(both, [0.8, 0.5]), 0.2).rows) == 1
    same = look(lifting, [one, [0.06, 0.2, 5.0]], [RED, BLUE])
    double = stream_of(lifting)
    double.restore(state)
    assert len(double.step(scored(same, [0.8, 0.7]), 0.2).rows) == 1


HERE, THERE = (sketch(scenery(seed)) for seed in (1, 9))


def cutting(lifting):
    """Twelve frames of two people, eight with another camera's view of them, and eight as at first."""
    views = [([[-0.8, 0.2, 5.0], [0.9, 0.2, 6.0]], HERE)] * 12 + [
        ([[0.4, 0.1, 3.0], [-1.2, 0.1, 3.6]], THERE)
    ] * 8
    views += views[:8]
    for i, (places, shown) in enumerate(views):
        moved = np.add(places, [0.02 * i, 0, 0])
        yield (
            i / FPS,
            replace(look(lifting, moved, [RED, BLUE], hidden=(1,) if i == 11 else ()), sketch=shown),
        )


def shots(lifting, config=None):
    stream = stream_of(lifting, config)
    rows, begins = [], []
    for t, one in cutting(lifting):
        rows.append(stream.step(one, t).rows)
        begins.append(stream.cut_before)
    assert np.flatnonzero(begins).tolist() == [12, 20]
    return rows


def test_whoever_is_likely_there_is_shown_in_the_first_frame_of_a_shot(lifting):
    group = look(lifting, [[-1.5, 0.2, 6], [0, 0.2, 6]], [RED, BLUE])
    stream = stream_of(lifting)
    stream.step(replace(scored(group, [0.84, 0.3]), sketch=HERE), 0.0)
    rows = stream.step(replace(scored(group, [0.84, 0.45]), sketch=THERE), 0.04).rows
    assert rows["person"].tolist() == [2, 3]


def test_people_go_on_after_a_cut_by_what_they_wear_if_that_is_wanted(lifting):
    rows = np.concatenate(shots(lifting, LifterSystemConfig(same_people=True)))
    assert set(rows["person"]) == {1, 2}
    for frame, red_m in ((5, -0.7), (15, 0.7), (25, -0.3)):
        now = rows[rows["frame"] == frame]
        assert now["person"].tolist() == [1, 2]
        assert now["transl"][0, 0] == pytest.approx(red_m, abs=0.3)  # the one in red, wherever they stand


def test_whoever_is_like_two_is_nobody_of_them(lifting):
    stream = stream_of(lifting, LifterSystemConfig(same_people=True))
    three = look(lifting, [[-1.5, 0.2, 6], [0, 0.2, 6], [1.5, 0.2, 6]], [RED, RED, BLUE])
    assert stream.step(replace(three, sketch=HERE), 0.0).rows["person"].tolist() == [1, 2, 3]
    again = replace(look(lifting, [[-1.5, 0.2, 5], [1, 0.2, 5]], [RED, BLUE]), sketch=THERE)
    rows = stream.step(again, 0.04).rows
    assert rows["person"].tolist() == [3, 4]
    assert rows["transl"][0, 0] > 0  # the one in blue


@pytest.mark.parametrize("stop", [11, 12, 13, 20])
def test_a_checkpoint_near_a_cut_continues_bit_for_bit(lifting, tmp_path, stop):
    config = LifterSystemConfig(same_people=True)
    whole = np.concatenate(shots(lifting, config))
    looks = list(cutting(lifting))
    first, second = (stream_of(lifting, config) for _ in range(2))
    before = [first.step(one, t).rows for t, one in looks[:stop]]
    np.savez(tmp_path / "state.npz", **first.state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        second.restore(dict(state))
    after = [second.step(one, t).rows for t, one in looks[stop:]]
    np.testing.assert_array_equal(np.concatenate(before + after), whole)
