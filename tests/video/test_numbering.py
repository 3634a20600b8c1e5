"""Numbers in names: order, which group counts, steps and holes."""

import pytest

from choros.video.numbering import natural_key, numbering_of


def test_natural_key() -> None:
    assert sorted(["b2", "b10", "B1", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "B1", "b2", "b10"]


def test_names_of_all_scripts_have_an_order() -> None:
    names = ["①1.jpg", "²", "٣.jpg", "3.jpg", "½x2", "十2", "a²1", "", "1", "01", "A", "a", "3²"]
    in_order = sorted(names, key=natural_key)
    assert sorted(reversed(names), key=natural_key) == in_order  # total: no two are equal
    assert in_order.index("1") < in_order.index("3.jpg")


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["000012.jpg", "000013.jpg"], [12, 13]),
        (["cam1_frame0007.png", "cam1_frame0008.png"], [7, 8]),
        (["f7_cam1.png", "f8_cam1.png"], [7, 8]),  # the group that varies
        (["1_10.png", "2_20.png"], [10, 20]),  # the last of several
        (["t1_0001.png", "t1_0002.png", "t2_0001.png"], None),  # neither is distinct
        (["2024-01-01_12-00-58.png", "2024-01-01_12-00-59.png", "2024-01-01_12-01-00.png"], None),
        (["a1.jp2", "b2.jp2"], [1, 2]),  # not the suffix
        (["a.png", "b1.png"], None),
        (["a.png", "b.png"], None),
        (["①1.jpg", "①2.jpg"], [1, 2]),
        (["0007.jpg"], [7]),
        (["photo.jpg"], None),
        (["99999999999999999998.png", "99999999999999999999.png"], None),  # more than a file of motion holds
    ],
)
def test_the_group_of_digits_that_counts(names, numbers) -> None:
    numbering = numbering_of(names)
    assert numbering.named == (numbers is not None)
    assert list(numbering.numbers) == (numbers or list(range(len(names))))


@pytest.mark.parametrize(
    ("numbers", "steps", "missing"),
    [
        ([1, 2, 3, 4, 10, 11, 12], [0, 1, 2, 3, 9, 10, 11], {4: "pictures 5 to 9 are missing"}),
        ([0, 2, 4, 8], [0, 1, 2, 4], {3: "picture 6 is missing"}),  # every second one
        ([5, 10], [0, 1], {}),  # nothing tells that it is a hole
        ([1, 2, 9], [0, 1, 8], {2: "pictures 3 to 8 are missing"}),
        ([0, 33, 67, 100, 133, 167], [0, 1, 2, 3, 4, 5], {}),  # milliseconds
        ([1403636579763555584, 1403636579813555584, 1403636579863555584], [0, 1, 2], {}),
        ([1, 17, 40, 41, 90], [0, 1, 2, 3, 4], {}),  # chosen pictures
        ([1, 2, 3, 20240101], [0, 1, 2, 3], {}),  # no clip has a hole of a week
    ],
)
def test_numbers_are_a_clock_where_they_go_on_by_one_step(numbers, steps, missing) -> None:
    numbering = numbering_of([f"{number}.png" for number in numbers])
    assert list(numbering.numbers) == numbers
    assert list(numbering.steps) == steps
    told = {k: numbering.missing_before(k) for k in range(len(numbers))}
    assert {k: words for k, words in told.items() if words} == missing
