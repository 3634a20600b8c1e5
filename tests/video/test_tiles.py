"""AVIF and HEIC: a photo that is stored in tiles comes whole, under whatever name and brand."""

import sys

import av
import numpy as np
import pytest
from heif_grids import av1_tile, hevc_tile, write_grid
from PIL import Image, features

from choros.errors import ChorosError
from choros.video import open_video

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
TILE = 64, 64
COLOURS = np.array([[220, 40, 40], [40, 200, 60], [50, 60, 210], [230, 220, 60]], np.uint8)  # of 2 x 2 tiles


def plain(colour: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(colour, (*TILE, 3)))


def middles(image: np.ndarray) -> np.ndarray:
    return image[32::64, 32::64].reshape(-1, 3).astype(int)


@pytest.fixture(scope="module")
def av1_tiles():
    return [av1_tile(plain(colour)) for colour in COLOURS]


@needs_avif
@pytest.mark.parametrize("name", ["photo.avif", "PHOTO.AVIF", "photo.jpg", "photo", "photo.mp4"])
@pytest.mark.parametrize("major", [b"avif", b"mif1", b"isom"])
def test_a_tiled_avif_is_whole(av1_tiles, name, major, tmp_path):
    path = write_grid(tmp_path / name, av1_tiles, TILE, 2, brands=(major, b"avif", b"mif1", b"miaf"))
    with open_video(path) as reader:
        (frame,) = reader
    assert frame.image.shape == (128, 128, 3)
    assert np.abs(middles(frame.image) - COLOURS).max() < 12


@needs_avif
def test_ffmpeg_alone_would_take_a_tile(av1_tiles, tmp_path):
    """Why such files must not come to it; once it shows the whole, the detour can go."""
    path = write_grid(tmp_path / "photo.avif", av1_tiles, TILE, 2)
    with av.open(str(path)) as container:
        assert {(s.width, s.height) for s in container.streams.video} == {TILE}


@needs_avif
def test_tiles_are_turned_as_one(av1_tiles, tmp_path):
    path = write_grid(tmp_path / "photo.avif", av1_tiles[:2], TILE, 2, turns=1)
    with open_video(path) as reader:
        (frame,) = reader
    assert frame.image.shape == (128, 64, 3)
    assert np.abs(middles(frame.image) - COLOURS[[1, 0]]).max() < 12


@needs_avif
def test_a_tiled_photo_from_a_stream_is_refused(av1_tiles, tmp_path, monkeypatch):
    """From a pipe or an address FFmpeg alone can read, and it has nothing but tiles."""
    from choros.video.container import ContainerReader

    path = write_grid(tmp_path / "photo.avif", av1_tiles, TILE, 2)
    with pytest.raises(ChorosError, match=r"photo.*tiles.*save it as a file"):
        ContainerReader(str(path), "http://somewhere/photo.avif")


@needs_avif
def test_an_animated_avif_is_a_film_with_its_own_times(tmp_path):
    images = [Image.fromarray(plain(colour)) for colour in COLOURS]
    images[0].save(
        tmp_path / "a.avif", save_all=True, append_images=images[1:], duration=[40, 40, 80, 40], speed=10
    )
    with open_video(tmp_path / "a.avif") as reader:
        frames = list(reader)
    assert [float(frame.pts) for frame in frames] == [0, 0.04, 0.08, 0.16]
    assert np.abs(np.stack([middles(frame.image)[0] for frame in frames]) - COLOURS).max() < 12


@pytest.fixture(scope="module")
def hevc_tiles(tmp_path_factory):
    if "libx265" not in av.codecs_available:
        pytest.skip("PyAV without an encoder of HEVC")
    return [hevc_tile(plain(colour), tmp_path_factory.mktemp("tile")) for colour in COLOURS]


HEIC = dict(item=b"hvc1", brands=(b"heic", b"heic", b"mif1"))


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "photo.jpg"])
def test_a_tiled_heic_is_whole(hevc_tiles, name, tmp_path):
    pytest.importorskip("pi_heif")
    path = write_grid(tmp_path / name, hevc_tiles, TILE, 2, **HEIC)
    with open_video(path) as reader:
        (frame,) = reader
    assert frame.image.shape == (128, 128, 3)
    assert np.abs(middles(frame.image) - COLOURS).max() < 16


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "photo.jpg"])
def test_without_its_package_heic_is_refused_by_name(hevc_tiles, name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setitem(sys.modules, "pi_heif.as_plugin", None)
    path = write_grid(tmp_path / name, hevc_tiles, TILE, 2, **HEIC)
    with pytest.raises(ChorosError, match=rf"{name}.*pip install choros\[heic\]"):
        open_video(path)
