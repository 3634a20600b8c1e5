"""The served view: bones against the body's own joints, and what the scene holds at a time."""

import json
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch

from choros.camera import project
from choros.errors import ChorosError
from choros.video import VideoWriter
from choros.view import browser
from choros.view.grounding import grounded, shown_options
from tests.chromium import TIMEOUT_S, Page
from tests.exporters.walkers import (
    AWAY_M,
    FPS,
    FRAMES,
    HEIGHT,
    LOST,
    WIDTH,
    walkers,
    walkers_after_a_cut,
    walkers_whose_camera_is_lost,
)
from tests.view.test_html_page import drawn


def test_bones_are_the_joints_of_the_body_on_the_ground():
    motion = walkers(camera_moves=False)
    cast, T = grounded(motion, shown_options(motion))
    for person in cast.people:
        wxyz, places = browser.bones(person, T)
        with torch.inference_mode():
            joints = cast.body.joints(person.params()).numpy()
        np.testing.assert_allclose(places, joints @ T[:3, :3].T + T[:3, 3], atol=1e-5)
        assert wxyz.shape == (len(person.frame), 24, 4)
        np.testing.assert_allclose(np.linalg.norm(wxyz, axis=-1), 1)


@pytest.fixture(scope="module")
def view():
    pytest.importorskip("viser")
    early, late = walkers(camera_moves=False, first_s=Fraction(0)), walkers(first_s=Fraction(1, 5))
    with browser.Browser([("early", early), ("late", late)], port=0) as view:
        yield view


def people(view, stand):
    """Who is shown, and how opaque."""
    return {
        body.person.id: body.mesh.opacity or 1.0 for body in view._stands[stand].bodies if body.mesh.visible
    }


@pytest.mark.parametrize(
    ("frame", "early", "late"),
    [
        (0, {1: 1.0, 5: 1.0}, {}),
        (5, {1: 1.0, 5: 1.0}, {1: 1.0, 5: 1.0}),
        (13, {1: 1.0, 2: browser.GHOST}, {1: 1.0, 2: 1.0, 5: 1.0}),
        (34, {}, {1: 1.0, 2: 1.0}),
    ],
)
def test_who_is_shown_when(view, frame, early, late):
    view.time.value = frame / FPS
    view.draw()
    assert (people(view, 0), people(view, 1)) == (early, late)


def test_bones_follow_the_time(view):
    view.time.value = 0.4
    view.draw()
    body = view._stands[0].bodies[0]
    np.testing.assert_allclose([bone.position for bone in body.mesh.bones], body.places[10], atol=1e-6)
    np.testing.assert_allclose([bone.wxyz for bone in body.mesh.bones], body.wxyz[10], atol=1e-6)
    assert body.label.position[1] > body.places[10, browser.HEAD, 1]


def test_what_is_not_wanted_is_hidden(view):
    view.time.value = 13 / FPS
    view._shows["who is not seen"].value = view._shows["ids"].value = view._shows["floor"].value = False
    view.draw()
    assert people(view, 0) == {1: 1.0}
    assert not view._stands[0].bodies[0].label.visible
    assert not view._floor.visible
    for each in view._shows.values():
        each.value = True
    view.eye.value = "late"
    view.draw()
    assert (view._stands[0].root.visible, view._stands[1].root.visible) == (False, True)
    view.eye.value = browser.ANYWHERE


def test_motions_stand_beside_each_other(view):
    first, second = view._stands
    assert second.root.position[0] + second.across[0] >= first.root.position[0] + first.across[1] + 1


def test_trails_and_the_cameras_path_end_at_a_cut():
    pytest.importorskip("viser")
    with browser.Browser([("m", walkers_after_a_cut())], port=0) as view:
        (stand,) = view._stands
        drawn = [stand.bodies[0].trail.points, stand.camera[1].points]
    for pieces in drawn:
        assert len(pieces) == FRAMES - 2
        assert np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1).max() < 1 < AWAY_M


def test_a_camera_that_is_not_known_is_not_drawn_and_it_is_said():
    pytest.importorskip("viser")
    with browser.Browser([("m", walkers_whose_camera_is_lost())], port=0) as view:
        (stand,) = view._stands
        camera, path = stand.camera
        assert len(path.points) == FRAMES - 1 - (len(LOST) + 1)
        assert np.abs(path.points).max() < 10 < AWAY_M
        for frame in (LOST.start - 1, LOST.start, LOST.stop):
            view.time.value = frame / FPS
            view.draw()
            assert camera.visible is (frame not in LOST)
        view.eye.value = "m"
        for frame in (LOST.start, LOST.stop):  # nobody is where nobody knows
            view.time.value = frame / FPS
            view.draw()
            assert view._unknown.visible is (frame in LOST)
            assert bool(people(view, 0)) is (frame not in LOST)


def test_a_view_leaves_the_terminal_to_whoever_opens_it(capsys):
    pytest.importorskip("viser")
    with browser.Browser([("m", walkers())], port=0):
        pass
    assert capsys.readouterr() == ("", "")


def test_without_viser_the_page_is_offered(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(ChorosError, match=r"pip install choros\[view\].*--html"):
        browser.Browser([("m", walkers())])


CLICK = "[...document.querySelectorAll('label')].find((each) => each.textContent === '{0}').click()"
CANVAS = "JSON.stringify(document.querySelector('canvas').getBoundingClientRect())"
END = "document.querySelector('[role=slider]').dispatchEvent(new KeyboardEvent('keydown', {key: 'End', bubbles: true}))"


def test_a_browser_shows_people_and_the_slider_moves_them(tmp_path):
    """Person 5 is there at first and not at the end, person 2 the other way round; frame k of the video is 8 k."""
    pytest.importorskip("viser")
    motion = walkers(camera_moves=False, first_s=Fraction(0))
    with VideoWriter(tmp_path / "grey.mp4", WIDTH, HEIGHT, Fraction(FPS)) as writer:
        for frame in range(FRAMES):
            writer.write(np.full((HEIGHT, WIDTH, 3), 8 * frame, np.uint8), Fraction(frame, FPS))
    with (
        Page(tmp_path / "profile", 800, 500) as page,
        browser.Browser([("m", motion)], port=0, video=tmp_path / "grey.mp4") as view,
    ):
        # Reflections and shadows, which take a processor that draws them seconds a picture.
        view.server.scene.configure_environment_map(None)
        view.server.scene.configure_default_lights(cast_shadow=False)
        threading.Thread(target=view.run, daemon=True).start()

        def shows(picture, seen, gone):
            return drawn(picture, seen).sum() > 1000 and drawn(picture, gone).sum() < 50

        def picture_where(true):
            end = time.monotonic() + TIMEOUT_S
            while not true(picture := page.picture()):
                assert time.monotonic() < end, page.troubles
            return picture

        page.open(view.address)
        page.wait_for("document.querySelector('[role=slider]') !== null")
        page.ask(CLICK.format("trails"))
        picture_where(lambda picture: shows(picture, seen=5, gone=2))
        page.ask(END)
        picture_where(lambda picture: shows(picture, seen=2, gone=5))

        # Through the camera, people are where it filmed them, before the video.
        view.eye.value = "m"
        canvas = json.loads(page.ask(CANVAS))
        left, top, width, height = (round(canvas[name]) for name in ("left", "top", "width", "height"))
        scale = min(width / WIDTH, height / HEIGHT)
        middle = np.array([left + width / 2, top + height / 2])
        cast, _ = grounded(motion, shown_options(motion))
        person = next(person for person in cast.people if person.id == 2)
        K = motion.K[FRAMES - 1]
        x, y = (middle + scale * (project(person.pelvis[-1] * [1, -1, -1], K) - K[:2, 2])).round().astype(int)
        beside = top + 5 * height // 6, left + width // 10  # nobody is there
        picture_where(
            lambda picture: (
                drawn(picture, 2)[y - 5 : y + 6, x - 5 : x + 6].mean() > 0.8
                and abs(picture[beside].astype(int) - 8 * 27).max() < 8
            )  # the film keeps each third frame
        )
        own = [trouble for trouble in page.troubles if not trouble.startswith("THREE.Clock")]
        assert own == []  # but for a part that viser's three.js calls deprecated
