"""Who is who by keypoints, clothes and motion, beside a network that leaves everybody where they are."""

from dataclasses import replace

import numpy as np
import pytest

from choros.comotion.affinity import EvidenceRules, astray, by_overlap, lies_on_nobody, observed, walk_on
from choros.comotion.network import ComotionNetwork
from choros.comotion.system import Comotion
from choros.comotion.tracker import TrackerConfig
from choros.comotion.tracks import fields
from choros.tracking import box_filter
from choros.tracking.appearance import Colours
from choros.tracking.online import Moment, track_type
from choros.tracking.sights import overlap_with_others
from tests.tracking.every_system import TINY, Glance, Standing, Told

WIDTH, HEIGHT, FPS = 640, 480, 10
RULES = EvidenceRules()
RED, GREEN = (200, 30, 30), (30, 180, 30)


class Unsure(Standing):
    """Keypoints that may be anything."""

    def estimate(self, image, boxes_px):
        found = super().estimate(image, boxes_px)
        found[..., 2] = 0.15
        return found


def stream_of(detector, keypoints=None, config=None):
    network = ComotionNetwork(replace(TINY, evidence=False), trunk=Glance()).eval()  # it moves nobody
    return Comotion(config, detector=detector, keypoints=keypoints or Standing(), network=network).stream()


def box_at(x, y=100.0):
    return np.array([x, y, x + 90, y + 270])


def picture(*people):
    """People, (box, colour), the last before the others."""
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for (x0, y0, x1, y1), colour in people:
        image[max(int(y0), 0) : int(y1), max(int(x0), 0) : int(x1)] = colour
    return image


def ids_by_colour(stream, detector, places):
    """Who the red and the green one are, frame by frame; None is a hidden one."""
    told = []
    for i, (red, green) in enumerate(places):
        there = [(box_at(x), colour) for x, colour in ((green, GREEN), (red, RED)) if x is not None]
        detector.boxes = tuple(box for box, _ in there)
        rows = stream.update(picture(*there), i / FPS).rows
        middles = rows["box_px"][:, [0, 2]].mean(-1)
        told.append([
            None if x is None else int(rows["person"][np.abs(middles - x - 45).argmin()]) for x in (red, green)
        ])  # fmt: skip
    return told


def test_who_walks_past_another_is_who_they_were():
    """They pass, one is hidden for half a second, and both go on: by boxes alone they cannot be told apart there."""
    red = np.linspace(20, 500, 41)
    green = red[::-1]
    hidden = np.abs(red - green) < 60
    places = [(r, None if h else g) for r, g, h in zip(red, green, hidden, strict=True)]
    assert 3 <= hidden.sum() <= 7
    detector = Told()
    ids = ids_by_colour(stream_of(detector), detector, places)
    first = ids[3]
    assert None not in first
    assert first[0] != first[1]
    assert all(pair[0] == first[0] for pair in ids[3:])
    assert all(pair[1] in (first[1], None) for pair in ids[3:])
    assert ids[-1] == first


def test_clothes_tell_who_steps_out():
    """Two stand, both are gone for a while, and change places meanwhile."""
    places = [(100, 300)] * 15 + [(None, None)] * 5 + [(300, 100)] * 10
    detector = Told()
    stream = stream_of(detector)
    told = []
    for i, (red, green) in enumerate(places):
        there = [(box_at(x), colour) for x, colour in ((green, GREEN), (red, RED)) if x is not None]
        detector.boxes = tuple(box for box, _ in there)
        stream.update(picture(*there), i / FPS)
        tracks = stream.state()["tracks"]
        told.append({int(t["id"]): float(t["box"]["centre_px"][0]) for t in tracks if t["detection"] >= 0})
    assert set(told[14]) == set(told[-1])
    for person, x in told[14].items():
        assert abs(told[-1][person] - x) > 150


@pytest.mark.parametrize(("keypoints", "shown"), [(Standing, True), (Unsure, False)])
def test_a_faint_box_without_a_skeleton_is_nobody(keypoints, shown):
    detector = Told(box_at(200), score=0.45)
    stream = stream_of(detector, keypoints())
    rows = [stream.update(picture((box_at(200), RED)), i / FPS).rows for i in range(20)]
    assert (len(rows[-1]) == 1) == shown
    assert any(len(r) for r in rows) == shown


def test_who_turns_out_to_be_nobody_ends():
    class Fading(Standing):
        confidence = 0.9

        def estimate(self, image, boxes_px):
            found = super().estimate(image, boxes_px)
            found[..., 2] = self.confidence
            return found

    eyes, detector = Fading(), Told(box_at(200))
    stream = stream_of(detector, eyes)
    counts = []
    for i in range(30):
        eyes.confidence, detector.score = (0.9, 0.9) if i < 5 else (0.1, 0.45)
        counts.append(len(stream.update(picture((box_at(200), RED)), i / FPS).rows))
    # Log odds of 4, the most, for five frames; then -3.425 a sight, of which five count as one: 8 until they are -1.
    assert counts == [1] * 12 + [0] * 18


def test_pixels_alone_go_by_overlap():
    bodies, found = np.array([box_at(0), box_at(100)]), np.array([box_at(20), box_at(110), box_at(400)])
    counts = np.array([True, True, True])
    affinity = by_overlap(bodies, found, np.array([0.0, 0.1]), 0.3, counts)
    assert np.isfinite(affinity.similarity).tolist() == [[True, False, False], [False, True, False]]
    assert affinity.similarity[0, 0] == pytest.approx(70 / 110)
    assert affinity.similarity[1, 1] == pytest.approx(80 / 100 + 0.1)
    assert not np.isfinite(by_overlap(bodies, found, np.zeros(2), 0.3, ~counts).similarity).any()


def tracks_at(*boxes, detection=0):
    tracks = np.zeros(len(boxes), track_type(fields(0)))
    tracks["box"] = box_filter.begin(np.array(boxes), RULES.box)
    tracks["box_px"], tracks["detection"], tracks["id"] = boxes, detection, 1 + np.arange(len(boxes))
    return tracks


def test_boxes_walk_on_and_turn_with_the_camera():
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    tracks = tracks_at(box_at(200), box_at(400))
    tracks["detection"] = [0, -1]
    tracks["box"]["speed_px_s"] = [100, 0]
    before = tracks["box"]["centre_px"].copy()
    moment = Moment(None, 1.0, 0.5, K, WIDTH, HEIGHT, None, False, False)
    walk_on(tracks, moment, RULES)
    moved = tracks["box"]["centre_px"] - before
    assert moved[0].tolist() == pytest.approx([50, 0])
    assert moved[1].tolist() == pytest.approx([50 * np.exp(-0.25), 0])  # unseen a frame ago, so ever slower
    angle = 0.02
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    tracks = tracks_at(np.array([300.0, 100, 340, 380]))
    walk_on(tracks, replace(moment, turn=turn, dt_s=0.0), RULES)
    assert tracks["box"]["centre_px"][0].tolist() == pytest.approx([320 + 500 * np.tan(angle), 240])


def test_a_skeleton_by_itself_lies_on_nobody():
    boxes = np.array([box_at(100), box_at(110), box_at(400)])
    keypoints = Standing().estimate(None, boxes.astype(np.float32)).astype(np.float64)
    colours = Colours(np.zeros((3, 3, 3)), np.zeros((3, 3)))
    found = type("Found", (), {"boxes_px": boxes, "scores": np.full(3, 0.8)})()
    seen = observed(found, keypoints, colours, RULES)
    tracks = tracks_at(box_at(100))
    assert lies_on_nobody(tracks, seen, np.array([1, 2]), RULES).tolist() == [False, True]
    tracks["id"] = 0  # nobody who is shown
    assert lies_on_nobody(tracks, seen, np.array([1, 2]), RULES).all()
    np.testing.assert_array_equal(seen.overlap, overlap_with_others(boxes))


def test_who_is_rather_on_another_is_astray():
    overlap = np.array([[0.6, 0.3, 0.9], [0.5, 0.4, 0.0], [0.0, 0.7, 0.7]])
    both = np.array([0, 1]), np.array([0, 1])
    assert astray(overlap, *both).tolist() == [False, True]
    # What nobody is does not count, nor as much overlap as with one's own.
    assert astray(overlap, np.array([2, 0]), np.array([1, 2])).tolist() == [False, False]
    assert astray(overlap, np.zeros(0, int), np.zeros(0, int)).tolist() == []


def test_two_skeletons_are_two_people_wherever_the_network_sees_them():
    """The network's bodies fall together; without keypoints one of them would end."""
    boxes = box_at(100), box_at(300)
    for config, left in ((TrackerConfig(), 2), (TrackerConfig().pixels_alone(), 1)):
        detector = Told(*boxes)
        stream = stream_of(detector, config=config)
        image = picture((boxes[0], RED), (boxes[1], GREEN))
        for i in range(5):
            stream.update(image, i / FPS)
        numbers = stream.state()["tracks"]["id"].tolist()
        for i in range(5, 14):
            state = dict(stream.state())
            tracks = state["tracks"].copy()
            for name in ("rotations", "betas", "pelvis_cam"):
                tracks[name][0] = tracks[name][1]
            stream.restore(state | {"tracks": tracks})
            rows = stream.update(image, i / FPS).rows
        kept = set(rows["person"].tolist()) & set(numbers)
        assert len(kept) == left


def test_pixels_alone_keep_no_sights():
    config = TrackerConfig().pixels_alone()
    stream = stream_of(Told(box_at(200)), config=config)
    stream.update(picture((box_at(200), RED)), 0.0)
    tracks = stream.state()["tracks"]
    assert len(tracks) == 1
    assert not tracks["appearance_weight"].any()
