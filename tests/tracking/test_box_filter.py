"""The filter of boxes: known motions, normalised growth, outliers."""

import numpy as np
import pytest

from choros.tracking.box_filter import BoxRules, begin, boxes_of, coast, noise_of, predict, update

RULES = BoxRules()
BOX = np.array([[100.0, 50, 140, 150]])


def follow(state, boxes, dt_s=0.04):
    for box in boxes:
        state = update(predict(state, dt_s, RULES), np.asarray(box)[None], RULES)
    return state


def test_a_box_is_what_was_seen():
    np.testing.assert_allclose(boxes_of(begin(BOX, RULES)), BOX)


def test_steady_walk_is_predicted():
    shift = np.array([3.0, 0, 3, 0])
    state = follow(begin(BOX, RULES), [BOX[0] + shift * i for i in range(1, 50)])
    later = boxes_of(predict(state, 0.4, RULES))  # ten frames on
    np.testing.assert_allclose(later[0], BOX[0] + shift * 59, atol=2.0)


def test_two_steps_are_one():
    """What is not known grows with time and not with the number of frames."""
    state = follow(begin(BOX, RULES), [BOX[0]] * 5)
    twice, once = predict(predict(state, 0.2, RULES), 0.3, RULES), predict(state, 0.5, RULES)
    for name in state.dtype.names:
        np.testing.assert_allclose(twice[name], once[name], rtol=1e-9)


def test_unseen_is_ever_vaguer_and_slower():
    state = follow(begin(BOX, RULES), [BOX[0] + 3 * i for i in range(10)])
    later = coast(predict(state, 0.5, RULES), 0.5, RULES)
    assert (later["place_var"] > state["place_var"]).all()
    assert (abs(later["speed_px_s"]) < abs(state["speed_px_s"])).all()


def test_half_a_person_moves_the_box_less_than_its_share():
    state = follow(begin(BOX, RULES), [BOX[0]] * 30)
    cut = BOX.copy()
    cut[0, 3] = 100  # legs behind a table
    miss = 100 - boxes_of(update(predict(state, 0.04, RULES), cut, RULES))[0, 3] + 50
    near = BOX.copy()
    near[0, 3] = 149
    follows = (
        boxes_of(predict(state, 0.04, RULES))[0, 3]
        - boxes_of(update(predict(state, 0.04, RULES), near, RULES))[0, 3]
    )
    assert miss < 0.3 * 50 * max(follows, 0.2)


def test_noise_is_of_the_image_and_of_neighbours():
    small, large = noise_of(BOX, RULES)[0].item(), noise_of(4 * BOX, RULES)[0].item()
    assert small < large < 4 * small
    assert noise_of(BOX, RULES, np.array([0.5]))[0].item() == pytest.approx(small * (1 + 0.5 * RULES.crowded))
