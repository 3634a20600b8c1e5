"""One likelihood a pair: its normaliser, its parts, and what it says of nobody."""

import numpy as np
import pytest
from scipy.stats import t as student

from choros.tracking.appearance import Colours
from choros.tracking.box_filter import BoxRules, begin, predict
from choros.tracking.likelihood import (
    LikelihoodRules,
    Observed,
    Predicted,
    evidence,
    learned_belief,
    log_colours,
    log_likelihood_ratio,
    log_place,
    log_student,
    shape_of,
)

RULES, BOX = LikelihoodRules(), BoxRules()
GREY = (50.0, 0.0, 0.0)


def keypoints_in(boxes):
    """The same upright body in each box."""
    rng = np.random.default_rng(0)
    where = np.concatenate([rng.uniform(0.1, 0.9, (17, 2)), np.full((17, 1), 0.9)], -1)
    points = np.tile(where, (len(boxes), 1, 1))
    points[..., :2] = boxes[:, None, :2] + points[..., :2] * (boxes[:, 2:] - boxes[:, :2])[:, None]
    return points


def clothes(labs):
    labs = np.array(labs, float).reshape(-1, 3)
    return Colours(np.repeat(labs[:, None], 3, 1), np.ones((len(labs), 3)))


def expected(boxes, unseen_s, labs=None, depth_m=None):
    """People last seen in these boxes, (n, 4), so long ago."""
    boxes = np.asarray(boxes, float)
    tracks = np.concatenate(
        [predict(begin(box[None], BOX), s, BOX) for box, s in zip(boxes, unseen_s, strict=True)]
    )
    return Predicted(
        tracks,
        shape_of(boxes, keypoints_in(boxes)),
        np.full(len(boxes), 8.0) if depth_m is None else depth_m,
        clothes(labs or [GREY] * len(boxes)),
        np.asarray(unseen_s, float),
        np.zeros(len(boxes)),
    )


def seen(boxes, labs=None, score=0.8):
    boxes = np.asarray(boxes, float)
    points = keypoints_in(boxes)
    sure = evidence(np.full(len(boxes), score), points, RULES)
    return Observed(
        boxes,
        points,
        np.full(len(boxes), 8.0),
        clothes(labs or [GREY] * len(boxes)),
        sure,
        np.zeros(len(boxes)),
    )


HERE = [100.0, 50, 140, 150]


def test_a_vague_ghost_does_not_outbid_a_fresh_track():
    """The ghost is predicted just where somebody stands; the one seen a moment ago is off by a step."""
    beside = [104.0, 50, 144, 150]
    for unseen_s in (0.5, 1.0, 2.0):
        ratio = log_likelihood_ratio(expected([HERE, beside], [unseen_s, 0.04]), seen([HERE]), RULES, BOX)
        assert ratio[1, 0] > ratio[0, 0]


def test_where_nobody_fresher_is_the_ghost_comes_back():
    ratio = log_likelihood_ratio(expected([HERE], [1.0]), seen([HERE]), RULES, BOX)
    assert ratio.item() > 0


def test_place_is_a_density():
    """Summed over all places and sizes it is 1, however vague: a ghost has no more to give than anybody."""
    for unseen_s in (0.04, 0.5):
        who = expected([HERE], [unseen_s])
        at = np.linspace(-3, 3, 121)
        shift = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2) * 100
        total = 0.0
        for grow in np.linspace(-0.5, 0.5, 41):
            half = np.array([20.0, 50 * np.exp(grow)])
            centre = np.array([120.0, 100]) + shift
            boxes = np.concatenate([centre - half, centre + half], -1)
            flat = seen(boxes)
            total += np.exp(log_place(who, flat, RULES, BOX)).sum() * 0.05**2 * (1 / 40)
        assert total == pytest.approx(1, abs=0.12)


def test_far_away_is_somebody_else():
    assert (
        log_likelihood_ratio(
            expected([HERE], [0.04]), seen([np.add(HERE, [300, 0, 300, 0])]), RULES, BOX
        ).item()
        < 0
    )


def test_clothes_tell_apart():
    red, blue = (50, 60, 40), (40, 10, -50)
    alike = log_colours(
        expected([HERE, HERE], [0.1, 0.1], [red, blue]), seen([HERE, HERE], [red, blue]), RULES
    )
    assert (np.diag(alike) > 2).all()
    assert alike[0, 1] < -2
    bare = Observed(
        *seen([HERE])[:3], Colours(np.zeros((1, 3, 3)), np.zeros((1, 3))), np.zeros(1), np.zeros(1)
    )
    assert log_colours(expected([HERE], [0.1]), bare, RULES).item() == 0


def test_faint_finds_are_rather_nobody():
    who = expected([HERE], [0.04])
    sure, faint = (log_likelihood_ratio(who, seen([HERE], score=s), RULES, BOX).item() for s in (0.8, 0.2))
    assert sure > faint


def test_student():
    x = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(log_student(x, np.array(0.7), 5.0), student.logpdf(x, 5.0, scale=0.7))


def test_nobody():
    none = np.zeros((0, 4))
    assert log_likelihood_ratio(expected([HERE], [0.1]), seen(none, []), RULES, BOX).shape == (1, 0)


def test_a_depth_that_nobody_knows_says_nothing():
    who, found = expected([HERE, HERE], [0.1, 0.1]), seen([HERE])
    known = log_likelihood_ratio(who, found, RULES, BOX)
    unknown = log_likelihood_ratio(who._replace(depth_m=np.array([np.nan, 8.0])), found, RULES, BOX)
    std = np.hypot(RULES.log_depth_std, RULES.log_depth_drift * np.sqrt(0.1))
    gain = log_student(0.0, std, RULES.freedom) - log_student(0.0, RULES.log_depth_std_others, RULES.freedom)
    assert known[0, 0] - unknown[0, 0] == pytest.approx(gain)
    assert known[1, 0] == unknown[1, 0]


def test_belief_grows_with_what_is_independent_up_to_a_most():
    belief = learned_belief(np.array([0.0, 3.8, 1.0]), np.array([2.0, 2.0, -5.0]), 0.1, 0.5, 0.2, 4.0)
    assert belief.tolist() == pytest.approx([0.4, 4.0, 0.0])
    # One sight after a gap is no more than one of .2 s.
    assert learned_belief(np.zeros(1), np.ones(1), 30.0, 0.5, 0.2, 4.0).item() == pytest.approx(0.4)
