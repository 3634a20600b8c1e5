"""The graphics card's picture is the CPU's, and where there is no card nobody notices.

Pictures are compared through whatever OpenGL there is, Mesa's on the CPU too; those tests are skipped where there
is neither moderngl nor EGL, as on CI.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.scenes import SceneConfig, make_scene
from choros.scenes.render import gpu

SMALL = SceneConfig(width=256, height=144, fps=Fraction(10), seconds=1, people=3, device="cpu")


@lru_cache
def on_cpu(kind="crossing", seed=3, camera="static"):
    return make_scene(kind, seed, replace(SMALL, camera=camera))


def on(device, scene):
    """The same scene on another device."""
    other = copy(scene)
    other.renderer = copy(scene.renderer)
    other.renderer.device = device
    other.renderer.__dict__.pop("gpu", None)
    return other


def card_on(device):
    return on(device, on_cpu()).renderer.gpu


@pytest.fixture(scope="module")
def opengl():
    try:
        card_on("software")
    except ChorosError as error:
        pytest.skip(str(error))


@pytest.fixture
def no_context(monkeypatch):
    """As if none had been looked for yet, and none is kept."""
    monkeypatch.setattr(gpu, "_contexts", {})


@pytest.mark.parametrize(("kind", "seed", "camera"), [
    ("crossing", 3, "static"), ("moving", 4, "handheld"), ("crowd", 2, "zoom"),
])  # fmt: skip
def test_light_depth_and_owners_are_those_of_the_cpu(opengl, kind, seed, camera):
    ours = on_cpu(kind, seed, camera)
    theirs = on("software", ours)
    assert ours.renderer.gpu is None
    assert theirs.renderer.gpu is not None
    for frame in (0, 7):
        expected, drawn = ours.rendered(frame), theirs.rendered(frame)
        same = drawn.mesh == expected.mesh
        assert drawn.mesh.max() >= 0
        assert same.mean() > 0.999
        assert (drawn.solid == expected.solid).mean() > 0.999
        assert np.abs(drawn.light - expected.light).mean() < 1e-3
        assert np.abs(drawn.motion - expected.motion)[same].mean() < 1e-3
        assert np.quantile(np.abs(drawn.depth - expected.depth)[same], 0.999) < 1e-3


def test_pictures_after_the_lens_agree_and_masks_are_the_same(opengl):
    ours, theirs = on_cpu(), on("software", on_cpu())
    assert np.abs(ours.taken(5).astype(int) - theirs.taken(5)).mean() < 0.1
    assert (ours.masks(5) == theirs.masks(5)).all()


def test_scenes_drawn_by_several_threads_do_not_mix(opengl):
    scenes = [on("software", on_cpu()), on("software", on_cpu("moving", 4, "handheld"))]

    def lights(scene):
        return [scene.rendered(frame).light for frame in range(4)]

    expected = [lights(scene) for scene in scenes]
    with ThreadPoolExecutor(2) as pool:
        assert np.array_equal(list(pool.map(lights, scenes)), expected)


def test_a_scene_that_is_gone_leaves_the_others_alone(opengl):
    kept = on("software", on_cpu())
    before = kept.rendered(2).light
    for _ in range(2):
        on("software", on_cpu("moving", 4, "handheld")).rendered(0)
    assert np.array_equal(kept.rendered(2).light, before)


def test_no_fork_draws_with_its_parents_context(opengl, monkeypatch):
    scene = on("software", on_cpu())
    scene.rendered(0)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ChorosError, match="spawn"):
        scene.rendered(1)
    with pytest.raises(ChorosError, match="forked"):
        card_on("software")


def test_without_a_card_auto_is_the_cpu_and_gpu_says_so(no_context, monkeypatch):
    monkeypatch.setattr(gpu, "CARDS", ())
    assert card_on("auto") is None
    assert on("auto", on_cpu()).frame(0).tobytes() == on_cpu().frame(0).tobytes()
    with pytest.raises(ChorosError, match=r"choros\[gpu\]"):
        card_on("gpu")


def test_without_the_library_auto_is_the_cpu(no_context, monkeypatch):
    monkeypatch.setattr(gpu, "CARDS", ("null",))  # every system has that device
    monkeypatch.setitem(sys.modules, "moderngl", None)
    assert card_on("auto") is None
    with pytest.raises(ChorosError, match="moderngl"):
        card_on("gpu")


def test_a_renderer_on_the_cpu_is_no_card(opengl, no_context, monkeypatch):
    monkeypatch.setattr(gpu, "CARDS", ("null",))
    monkeypatch.setattr(gpu, "SOFTWARE", ("",))  # whatever its name
    assert card_on("auto") is None
    with pytest.raises(ChorosError, match="runs on the CPU"):
        card_on("gpu")


def test_unknown_devices_are_refused():
    with pytest.raises(ChorosError, match="auto, cpu, gpu, software"):
        card_on("tpu")
