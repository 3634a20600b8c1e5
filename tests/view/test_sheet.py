"""Contact sheets."""

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.view.sheet import contact_sheet


def test_pictures_stand_in_reading_order() -> None:
    images = [np.full((10 + i, 20, 3), 40 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet(images, columns=2, gap_px=4)
    assert sheet.shape == (3 * (14 + 4) + 4, 2 * (20 + 4) + 4, 3)
    for i, image in enumerate(images):
        y, x = 4 + (i // 2) * 18, 4 + (i % 2) * 24
        np.testing.assert_array_equal(sheet[y : y + 10 + i, x : x + 20], image)


def test_no_picture_is_refused() -> None:
    with pytest.raises(ChorosError, match="at least one"):
        contact_sheet([], columns=3)
