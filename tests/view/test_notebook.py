"""What a notebook shows of a motion: a line that is true, and a picture with people where they are."""

import base64
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from choros.mesh.colours import colour_of
from choros.motion import FRAME, ROW, Header, Motion
from choros.view.notebook import GROUND, WIDTH_PX, picture


def two_people(**header) -> Motion:
    """Person 1 for two frames, left; in the second also person 2, right; a third where nobody is seen."""
    frames, rows = np.zeros(3, FRAME), np.zeros(4, ROW)
    frames["pts"] = [(0, 1), (1, 10), (1, 5)]
    frames["K"], frames["T_world_camera"] = [[320, 0, 160], [0, 320, 90], [0, 0, 1]], np.eye(4)
    rows["frame"], rows["person"], rows["visible"] = [0, 1, 1, 2], [1, 1, 2, 1], [True, True, True, False]
    rows["global_orient"], rows["transl"] = (np.pi, 0, 0), [(-1, 0, 4), (-1, 0, 4), (1, 0, 4), (-1, 0, 4)]
    about = {"source": "<clip>.mp4", "system": "counting", "width": 320, "height": 180}
    return Motion(Header(Fraction(10), **(about | header)), frames, rows)


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_the_line_tells_what_it_is():
    motion = two_people()
    assert repr(motion) == "<Motion of <clip>.mp4 by counting: 3 frames in 0.2 s, 2 people, camera space>"
    assert "nobody named" in repr(replace(motion, header=replace(motion.header, system="")))


def test_the_picture_is_of_the_moment_with_most_people():
    image = decoded(picture(two_people()))
    view = image[:, :WIDTH_PX]
    assert view.shape[:2] == (360, 640)
    assert (view[0, 320] == GROUND).all()
    for person, x0 in ((1, 0), (2, 320)):
        half = view[:, x0 : x0 + 320].astype(float)
        drawn = half[np.abs(half - GROUND).max(-1) > 60]
        assert len(drawn) > 1000
        hue, want = drawn.mean(0), np.array(colour_of(person), float)
        assert np.corrcoef(hue, want)[0, 1] > 0.9


def test_html_holds_line_and_picture():
    motion = two_people()
    html = motion._repr_html_()
    assert "&lt;clip&gt;.mp4" in html
    assert base64.b64decode(html.split("base64,")[1].split('"')[0]) == picture(motion)


def test_without_anybody_seen_or_without_the_body_there_is_the_line_alone():
    motion = two_people()
    for other in (motion[2:], replace(motion, header=replace(motion.header, body="smpl:mine"))):
        assert picture(other) is None
        assert other._repr_html_().startswith("<div>Motion of &lt;clip")
        assert "img" not in other._repr_html_()
