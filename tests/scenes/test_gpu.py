"""The graphics card's picture is the CPU's, and where there is no card nobody notices.

Pictures are compared through whatever OpenGL there is, Mesa's on the CPU too; those tests are skipped where there
is neither moderngl nor EGL, as on CI.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.scenes import SceneConfig, gpu, make_scene
from choros.scenes.gpu import open_card

SMALL = SceneConfig(width=320, height=180, fps=Fraction(10), seconds=1.2, people=3, device="cpu")


def scene_of(kind, seed, device):
    return make_scene(kind, seed, replace(SMALL, device=device))


@pytest.fixture(scope="module")
def opengl():
    scene = scene_of("easy", 1, "cpu")
    try:
        open_card("software", scene.world, scene._meshes, 64, 64)
    except ChorosError as error:
        pytest.skip(str(error))


@pytest.fixture
def no_context(monkeypatch):
    """As if none had been looked for yet, and none is kept."""
    monkeypatch.setattr(gpu, "_contexts", {})


def card_on(device):
    scene = scene_of("easy", 1, "cpu")
    return open_card(device, scene.world, scene._meshes, 320, 180)


@pytest.mark.parametrize(("kind", "seed", "camera"), [
    ("crossing", 3, "static"), ("moving", 4, "handheld"), ("crowd", 2, "pan"), ("easy", 12, "zoom"),
])  # fmt: skip
def test_light_depth_and_owners_are_those_of_the_cpu(opengl, kind, seed, camera):
    ours, theirs = (
        make_scene(kind, seed, replace(SMALL, camera=camera, device=d)) for d in ("cpu", "software")
    )
    assert ours._card is None
    assert theirs._card is not None
    for frame in (0, 7):
        expected, drawn = ours._picture(frame), theirs._picture(frame)
        same = drawn.mesh == expected.mesh
        assert drawn.mesh.max() >= 0
        assert same.mean() > 0.999
        assert (drawn.solid == expected.solid).mean() > 0.999
        assert np.abs(drawn.light - expected.light).mean() < 1e-3
        assert np.quantile(np.abs(drawn.depth - expected.depth)[same], 0.999) < 1e-3
    assert (theirs.masks(7) == ours.masks(7)).all()


def test_pictures_after_the_lens_agree(opengl):
    ours, theirs = scene_of("crossing", 3, "cpu").frame(5), scene_of("crossing", 3, "software").frame(5)
    assert np.abs(ours.astype(int) - theirs).mean() < 0.1


def test_every_thread_may_draw_and_scenes_do_not_mix(opengl):
    scenes = [scene_of("crossing", seed, "software") for seed in (3, 4)]
    expected = [[scene.frame(f).tobytes() for f in range(4)] for scene in scenes]
    with ThreadPoolExecutor(4) as pool:
        drawn = [[pool.submit(scene.frame, f) for f in range(4)] for scene in scenes]
        assert [[picture.result().tobytes() for picture in row] for row in drawn] == expected


def test_a_scene_that_is_gone_leaves_the_others_alone(opengl):
    kept = scene_of("crossing", 3, "software")
    before = kept.frame(2).tobytes()
    for seed in (5, 6):
        scene_of("easy", seed, "software").frame(0)
    assert kept.frame(2).tobytes() == before


def test_no_fork_draws_with_its_parents_context(opengl, monkeypatch):
    scene = scene_of("easy", 1, "software")
    scene.frame(0)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ChorosError, match="spawn"):
        scene.frame(1)
    with pytest.raises(ChorosError, match="forked"):
        card_on("software")


def test_without_a_card_auto_is_the_cpu_and_gpu_says_so(no_context, monkeypatch):
    monkeypatch.setattr(gpu, "CARDS", ())
    assert card_on("auto") is None
    assert scene_of("easy", 1, "auto").frame(0).tobytes() == scene_of("easy", 1, "cpu").frame(0).tobytes()
    with pytest.raises(ChorosError, match=r"choros\[gpu\]"):
        card_on("gpu")


def test_without_the_library_auto_is_the_cpu(no_context, monkeypatch):
    monkeypatch.setattr(gpu, "CARDS", ("null",))  # every system has that device
    monkeypatch.setitem(__import__("sys").modules, "moderngl", None)
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
