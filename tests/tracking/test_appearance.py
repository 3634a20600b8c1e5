"""Clothes: colours are read where they are worn, and tell people apart."""

import cv2
import numpy as np

from choros.tracking.appearance import Colours, alikeness, read_colours, recognised, remember

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 40), (30, 40, 190)


def person(left, top):
    """A standing person 100 px tall, (17, 3)."""
    points = np.zeros((17, 3))
    points[..., 2] = 0.9
    for index, (x, y) in {
        5: (30, 20), 6: (10, 20), 11: (28, 50), 12: (12, 50), 13: (28, 75), 14: (12, 75), 15: (28, 98), 16: (12, 98),
    }.items():  # fmt: skip
        points[index, :2] = left + x, top + y
    return points


def picture(people, colours):
    image = np.full((160, 300, 3), 128, np.uint8)
    for points, (shirt, trousers, socks) in zip(people, colours, strict=True):
        left, top = int(points[6, 0]) - 10, int(points[6, 1]) - 20
        image[top + 18 : top + 50, left + 8 : left + 33] = shirt
        image[top + 50 : top + 75, left + 8 : left + 33] = trousers
        image[top + 75 : top + 100, left + 8 : left + 33] = socks
    return image


def lab(rgb):
    return cv2.cvtColor(np.float32([[rgb]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def test_each_part_has_its_colour():
    people = np.stack([person(20, 30), person(150, 40)])
    worn = [(RED, BLUE, GREEN), (GREEN, GREEN, RED)]
    colours = read_colours(picture(people, worn), people)
    np.testing.assert_allclose(colours.lab, [[lab(c) for c in one] for one in worn], atol=0.5)
    np.testing.assert_allclose(colours.weight, 1)


def test_what_is_unsure_or_outside_is_not_read():
    people = np.stack([person(20, 30), person(20, 110)])  # the second one's legs are below the picture
    people[0, 13:15, 2] = 0.1  # knees that nobody saw
    weight = read_colours(picture(people[:1], [(RED, RED, RED)]), people).weight
    np.testing.assert_array_equal(weight[0], [1, 0, 0])
    assert weight[1, 2] == 0


def test_nobody():
    assert read_colours(np.zeros((20, 20, 3), np.uint8), np.zeros((0, 17, 3))).lab.shape == (0, 3, 3)


def colours(*worn):
    return Colours(np.array([[lab(c) for c in one] for one in worn], float), np.ones((len(worn), 3)))


def test_the_same_clothes_are_alike_and_others_are_not():
    people = colours((RED, BLUE, BLUE), (GREEN, BLUE, BLUE), (GREEN, RED, GREEN))
    alike = alikeness(people, people)
    np.testing.assert_allclose(np.diag(alike), 1)
    np.testing.assert_allclose(alike, alike.T)
    assert alike[0, 2] < alike[0, 1] < 0.2


def test_without_a_common_part_nothing_is_known():
    shirt_only = Colours(colours((RED, RED, RED)).lab, np.array([[1.0, 0, 0]]))
    legs_only = Colours(colours((BLUE, BLUE, BLUE)).lab, np.array([[0, 1.0, 1.0]]))
    assert alikeness(shirt_only, legs_only).item() == 0.5


def test_memory_moves_by_its_share_and_takes_what_it_did_not_know():
    old = Colours(colours((RED, RED, RED)).lab, np.array([[1.0, 1.0, 0.0]]))
    new = colours((BLUE, BLUE, BLUE))
    later = remember(old, new, np.array([0.25]))
    np.testing.assert_allclose(later.lab[0, 0], 0.75 * lab(RED) + 0.25 * lab(BLUE), atol=1e-4)
    np.testing.assert_allclose(later.lab[0, 2], lab(BLUE), atol=1e-4)
    np.testing.assert_array_equal(later.weight, 1)


def test_only_who_is_clearly_alike_is_recognised():
    """Of the new, the first is dressed as the second of the old; two are alike, and one like nobody."""
    lab = {"red": (50, 60, 40), "reddish": (52, 58, 41), "blue": (40, 10, -50), "green": (60, -50, 40)}

    def dressed(*names):
        return Colours(
            np.repeat(np.array([lab[name] for name in names], float)[:, None], 3, 1), np.ones((len(names), 3))
        )

    def said(new, old):
        return [part.tolist() for part in recognised(dressed(*new), dressed(*old))]

    assert said(["blue", "green"], ["red", "blue"]) == [[0], [1]]
    assert said(["red"], ["red", "reddish", "blue"]) == [[], []]
    assert said(["red", "reddish"], ["red"]) == [[], []]
    nobody = Colours(np.zeros((0, 3, 3)), np.zeros((0, 3)))
    assert [part.tolist() for part in recognised(nobody, dressed("red"))] == [[], []]
    unread = Colours(np.zeros((1, 3, 3)), np.zeros((1, 3)))
    assert [part.tolist() for part in recognised(unread, unread)] == [[], []]
