"""Damage to pictures: coding is the same each time, and no damage is none."""

import numpy as np

from choros.scenes.camera.damage import h264, jpeg, sample_damage

TIMES = np.arange(0, 4, 0.04)


def pictures(count=8, size=(90, 121)):
    rng = np.random.default_rng(0)
    base = np.kron(rng.integers(30, 220, (12, 16, 3)), np.ones((8, 8, 1)))[: size[0], : size[1]]
    return [np.ascontiguousarray(np.roll(base, 2 * i, axis=1)).astype(np.uint8) for i in range(count)]


def test_coding_is_the_same_each_time_and_worse_at_higher_crf():
    images = pictures()
    good, again, poor = h264(images, 20), h264(images, 20), h264(images, 40)
    assert len(good) == 8
    assert all(
        a.tobytes() == b.tobytes() and a.shape == (90, 121, 3) for a, b in zip(good, again, strict=True)
    )
    harm = [np.abs(np.stack(x).astype(int) - np.stack(images)).mean() for x in (good, poor)]
    assert 0 < harm[0] < harm[1]
    assert harm[0] < 12
    assert h264(images[:1], 20)[0].shape == (90, 121, 3)


def test_jpeg_is_worse_at_lower_quality():
    image = pictures(1)[0]
    harm = [np.abs(jpeg(image, q).astype(int) - image).mean() for q in (95, 30)]
    assert 0 < harm[0] < harm[1]
    assert abs(jpeg(image, 95).astype(int) - image).mean(axis=(0, 1)).max() < 12  # red is red


def test_a_perfect_camera_does_nothing():
    for seed in range(20):
        damage = sample_damage(np.random.default_rng(seed), TIMES, 0.0)
        assert (damage.shutter_s, damage.jpeg, damage.crf) == (0.0, None, None)
        np.testing.assert_array_equal(damage.gains, 1)


def test_damage_is_within_reason_and_differs():
    drawn = [sample_damage(np.random.default_rng(seed), TIMES, 1.0) for seed in range(200)]
    assert 0 < min(d.shutter_s for d in drawn) < max(d.shutter_s for d in drawn) <= 1 / 40
    assert all(d.gains.min() > 0.3 and d.gains.max() < 3 for d in drawn)
    assert {(d.jpeg is None, d.crf is None) for d in drawn} == {(True, True), (False, True), (True, False)}
    assert all(d.jpeg is None or 20 <= d.jpeg <= 97 for d in drawn)
    assert all(d.crf is None or 17 <= d.crf <= 37 for d in drawn)
