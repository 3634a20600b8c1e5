"""What films and pictures say of their lens, and which of it is believed; all the way to K and where it is from."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from choros.camera import focal_px_of_35mm
from choros.options import TrackOptions
from choros.video.lens_tags import QUICKTIME, focal_35mm_of_film, focal_35mm_of_picture

EXIF, IN_35MM, WIDTH, HEIGHT = 0x8769, 0xA405, 0xA002, 0xA003


def film(path, **tags):
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as file:
        file.metadata.update(tags)
        stream = file.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((90, 160, 3), 90, np.uint8), "rgb24")))
        file.mux(stream.encode(None))
    return path


def picture(path, tags, size=(160, 120)):
    image, exif = Image.new("RGB", size, (90, 90, 90)), Image.Exif()
    exif.get_ifd(EXIF).update(tags)
    image.save(path, exif=exif)
    return path


def K_of(source, options):
    with options.open(source) as reader:
        info = reader.info
    options = options.of_source(info)
    return options.intrinsics(info.width, info.height), options.K_source


def test_35_mm_film_is_measured_by_its_diagonal():
    assert focal_px_of_35mm(50.0, 3600, 2400) == pytest.approx(5000)
    assert focal_px_of_35mm(43.2666, 300, 400) == pytest.approx(500, rel=1e-5)


@pytest.mark.parametrize("sandbox", [False, True])
def test_a_phones_film_tells_its_lens(tmp_path, sandbox):
    path = film(tmp_path / "a.mov", **{QUICKTIME: "26"})
    K, source = K_of(path, TrackOptions(sandbox=sandbox))
    assert source == "metadata"
    assert K[0, 0] == K[1, 1] == pytest.approx(26 / np.hypot(36, 24) * np.hypot(160, 90))
    assert tuple(K[:2, 2]) == (80, 45)


def test_what_the_user_says_wins(tmp_path):
    path = film(tmp_path / "a.mov", **{QUICKTIME: "26"})
    K, source = K_of(path, TrackOptions(focal_px=200.0))
    assert (K[0, 0], source) == (200, "given")
    assert K_of(path, TrackOptions(fov_deg=60.0))[1] == "given"


def test_without_tags_it_is_assumed(tmp_path):
    K, source = K_of(film(tmp_path / "a.mp4"), TrackOptions())
    assert (K[0, 0], source) == (160, "assumed")


@pytest.mark.parametrize("said", ["", "wide", "0", "-26", "nan", "inf", "3", "100000"])
def test_what_no_lens_has_is_not_believed(said):
    assert focal_35mm_of_film([{QUICKTIME: said}]) is None


def test_keys_are_found_in_any_table_and_case():
    assert focal_35mm_of_film([{}, {"title": "26"}, {QUICKTIME.upper(): "13"}]) == 13


def test_a_picture_tells_its_lens(tmp_path):
    K, source = K_of(picture(tmp_path / "a.jpg", {IN_35MM: 24}), TrackOptions())
    assert source == "metadata"
    assert K[0, 0] == pytest.approx(24 / np.hypot(36, 24) * 200)


def test_a_picture_that_was_cut_is_not_believed(tmp_path):
    taken = {IN_35MM: 24, WIDTH: 4000, HEIGHT: 3000}
    assert focal_35mm_of_picture(picture(tmp_path / "a.jpg", taken)) == 24
    assert focal_35mm_of_picture(picture(tmp_path / "b.jpg", taken, (120, 160))) == 24  # on its side
    assert focal_35mm_of_picture(picture(tmp_path / "c.jpg", taken, (160, 90))) is None


def test_damage_costs_no_picture(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(picture(tmp_path / "b.jpg", {IN_35MM: 24}).read_bytes()[:40])
    assert focal_35mm_of_picture(path) is None
    assert focal_35mm_of_picture(tmp_path / "missing.jpg") is None
