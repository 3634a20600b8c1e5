"""The served view: bones against the body's own joints, and what the scene holds at a time."""

import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from choros.errors import ChorosError
from choros.view import browser
from choros.view.ground import grounded, shown_options
from tests.export.walkers import FPS, walkers


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


def test_a_view_leaves_the_terminal_to_whoever_opens_it(capsys):
    pytest.importorskip("viser")
    with browser.Browser([("m", walkers())], port=0):
        pass
    assert capsys.readouterr() == ("", "")


def test_without_viser_the_page_is_offered(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(ChorosError, match=r"pip install choros\[view\].*--html"):
        browser.Browser([("m", walkers())])
