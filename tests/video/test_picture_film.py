"""Animated WebP and APNG and TIFF of several pages are films: every frame, its own time, damage told."""

import struct
import tracemalloc
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from making import number_in, numbered
from PIL import Image, ImageSequence

from choros.errors import ChorosError
from choros.video import open_video

N = 12
MS = [40, 40, 40, 0, 120, 40, 40, 40, 40, 40, 40, 40]  # 0: none said
TIMES = [0, 40, 80, 120, 220, 340, 380, 420, 460, 500, 540, 580]


def written(path: Path, n: int = N, **how) -> Path:
    images = [Image.fromarray(numbered(index)) for index in range(n)]
    images[0].save(path, save_all=True, append_images=images[1:], **how)
    return path


def read(path: Path, *when, **how):
    with open_video(path, *when, **how) as reader:
        frames = list(reader)
    return frames, reader


KINDS = {
    "webp": dict(format="WEBP", quality=90, duration=MS, minimize_size=False),
    "png": dict(format="PNG", duration=MS),
    "apng": dict(format="PNG", duration=MS),
    "PNG": dict(format="PNG", duration=MS),
    "jpg": dict(format="WEBP", lossless=True, duration=MS),  # content decides
}


@pytest.mark.parametrize("suffix", KINDS)
def test_an_animation_is_a_film_with_its_own_times(suffix, tmp_path):
    frames, reader = read(written(tmp_path / f"film.{suffix}", **KINDS[suffix]))
    assert [number_in(frame.image) for frame in frames] == list(range(N))
    assert [frame.number for frame in frames] == list(range(N))
    assert [frame.pts for frame in frames] == [Fraction(ms, 1000) for ms in TIMES]
    assert (reader.info.fps, reader.info.n_frames_hint, reader.info.numbers) == (25, N, "counted")
    assert reader.gaps == []
    assert not any(frame.gap_before for frame in frames)


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_a_part_of_a_film(suffix, tmp_path):
    frames, reader = read(written(tmp_path / f"film.{suffix}", **KINDS[suffix]), 0.1, 0.38)
    assert [(frame.index, frame.number, float(frame.pts)) for frame in frames] == [
        (0, 3, 0.12),
        (1, 4, 0.22),
        (2, 5, 0.34),
    ]
    assert reader.gaps == []
    with pytest.raises(ChorosError, match="start earlier"):
        open_video(tmp_path / f"film.{suffix}", 99)


@pytest.mark.parametrize(
    "how", [{}, {"compression": "jpeg"}, {"compression": "tiff_lzw"}, {"big_tiff": True}]
)
def test_pages_of_a_tiff_are_frames(how, tmp_path):
    frames, reader = read(written(tmp_path / "stack.tif", **how), image_fps=Fraction(24))
    assert [number_in(frame.image) for frame in frames] == list(range(N))
    assert [frame.pts for frame in frames] == [Fraction(index, 24) for index in range(N)]
    assert (reader.info.fps, reader.gaps) == (24, [])


def test_thumbnails_and_masks_are_no_pages(tmp_path):
    photo, small = Image.fromarray(numbered(7)), Image.fromarray(numbered(3, 16, 12))
    for kind in (1, 4):  # reduced, mask
        photo.save(tmp_path / "a.tif", save_all=True, append_images=[small])
        data = bytearray((tmp_path / "a.tif").read_bytes())
        with_subfile_type(data, page=1, kind=kind)
        (tmp_path / "a.tif").write_bytes(data)
        (frame,), reader = read(tmp_path / "a.tif")
        assert number_in(frame.image) == 7
        assert reader.gaps == []


def with_subfile_type(data: bytearray, page: int, kind: int) -> None:
    """Turns a page's first entry (its width is told by a copy at the end) into NewSubfileType."""
    at = int.from_bytes(data[4:8], "little")
    for _ in range(page):
        count = int.from_bytes(data[at : at + 2], "little")
        at = int.from_bytes(data[at + 2 + 12 * count : at + 6 + 12 * count], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    entries = data[at + 2 : at + 2 + 12 * count]
    new = len(data) + len(data) % 2
    data += (
        bytes(new - len(data))
        + struct.pack("<H", count + 1)
        + struct.pack("<HHII", 254, 4, 1, kind)
        + entries
    )
    data += bytes(4)
    before = int.from_bytes(data[4:8], "little")  # page 0 leads to the copy
    n = int.from_bytes(data[before : before + 2], "little")
    data[before + 2 + 12 * n : before + 6 + 12 * n] = struct.pack("<I", new)


def test_a_page_of_another_size_is_shown_whole(tmp_path):
    images = [
        Image.fromarray(numbered(1)),
        Image.fromarray(np.full((96, 64, 3), 200, np.uint8)),
        Image.fromarray(numbered(2)),
    ]
    images[0].save(tmp_path / "a.tif", save_all=True, append_images=images[1:])
    frames, reader = read(tmp_path / "a.tif")
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 3
    assert (frames[1].image[:, 16:48] == 200).all()  # 64 x 96 px in 48 rows: 32 columns, bars beside them
    assert not frames[1].image[:, :16].any()
    assert not frames[1].image[:, 48:].any()
    (gap,) = reader.gaps
    assert "picture 2 is 64x96 px" in gap.reason
    assert [frame.gap_before for frame in frames] == [False, True, False]


# Damage -----------------------------------------------------------------------------------------------


def places_of_frames(data: bytes, name: bytes) -> list[int]:
    places, at = [], data.find(name)
    while at >= 0:
        places.append(at)
        at = data.find(name, at + 1)
    return places


def damaged_webp(data: bytearray, frame: int) -> None:
    at = places_of_frames(data, b"ANMF")[frame] + 8 + 16 + 8  # its pixels
    data[at : at + 60] = bytes(60)


def damaged_png(data: bytearray, frame: int) -> None:
    at = places_of_frames(data, b"fdAT")[frame - 1] + 8
    data[at : at + 60] = bytes([255] * 60)


def lost_name(name: bytes):
    def damage(data: bytearray, frame: int) -> None:
        at = places_of_frames(data, name)[frame]
        data[at : at + 4] = b"\xff\0\xff\0"

    return damage


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [("webp", damaged_webp), ("png", damaged_png), ("webp", lost_name(b"ANMF")), ("png", lost_name(b"fcTL"))],
)
def test_a_damaged_frame_costs_itself_alone(suffix, damage, tmp_path):
    # Frames that are whole pictures, so that those behind the damage can be known by their content.
    how = dict(duration=40, lossless=True, kmax=1) if suffix == "webp" else dict(duration=40, blend=0)
    path = written(tmp_path / f"film.{suffix}", **how)
    data = bytearray(path.read_bytes())
    damage(data, 5)
    path.write_bytes(data)
    frames, reader = read(path)
    shown = [number_in(frame.image) for frame in frames]
    assert set(range(N)) - set(shown) <= {4, 5}
    assert len(shown) >= N - 2
    assert len(reader.gaps) == 1
    assert path.name in reader.gaps[0].reason
    assert [frame.gap_before for frame in frames].count(True) == 1


@pytest.mark.parametrize(("field", "value"), [(6, 10), (6, 200), (9, 0), (0, 4), (3, 4)])
def test_a_damaged_place_of_a_webp_frame_costs_no_picture(field, value, tmp_path):
    """Its place or size (three bytes each) is wrong, its pixels are whole: they say themselves how large they are."""
    path = written(tmp_path / "film.webp", **KINDS["webp"])
    data = bytearray(path.read_bytes())
    at = places_of_frames(data, b"ANMF")[6] + 8 + field
    data[at : at + 3] = value.to_bytes(3, "little")
    path.write_bytes(data)
    frames, _ = read(path)
    assert [frame.number for frame in frames] == list(range(N))
    x, y = (2 * value if field == place else 0 for place in (0, 3))
    moved = numbered(6)[: 48 - y, : 64 - x].astype(int)
    assert np.abs(frames[6].image[y:, x:] - moved).mean() < 25


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_a_film_cut_short_gives_what_is_there(suffix, tmp_path):
    path = written(tmp_path / f"film.{suffix}", **KINDS[suffix])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    frames, reader = read(path)
    shown = [number_in(frame.image) for frame in frames]
    assert 4 <= len(shown) < N
    assert shown[:-1] == list(range(len(shown) - 1))
    assert reader.gaps
    assert reader.gaps[-1].end_s is None or frames[-1].gap_before


def test_a_damaged_page_costs_itself_alone(tmp_path):
    path = written(tmp_path / "stack.tif", compression="tiff_lzw")
    with Image.open(path) as image:
        image.seek(5)
        offset = image.tag_v2[273][0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 200] = bytes([255] * 200)
    path.write_bytes(data)
    frames, reader = read(path, image_fps=10)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert [number_in(frame.image) for frame in frames] == [frame.number for frame in frames]
    assert [float(frame.pts) for frame in frames][5] == 0.6
    (gap,) = reader.gaps
    assert "page 6" in gap.reason


@pytest.mark.parametrize("suffix", ["webp", "png", "tif"])
@pytest.mark.parametrize("seed", range(12))
def test_no_damage_hangs_or_surprises(suffix, seed, tmp_path):
    rng = np.random.default_rng(seed)
    path = written(tmp_path / f"film.{suffix}", n=4, **KINDS.get(suffix, {}) | {"duration": 40})
    data = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 30)):
        data[rng.integers(len(data))] = rng.integers(256)
    path.write_bytes(data[: rng.integers(len(data) // 2, len(data))] if seed % 3 == 0 else data)
    frames = []
    with suppress(ChorosError):  # nothing else may come
        frames, _ = read(path)
    assert len(frames) <= 4


# The canvas -------------------------------------------------------------------------------------------


def patches(rng: np.random.Generator) -> list[Image.Image]:
    """Pictures with a patch each, in another place, in nothing."""
    images = []
    for _ in range(6):
        pixels = np.zeros((48, 64, 4), np.uint8)
        x, y = rng.integers(0, 40), rng.integers(0, 28)
        pixels[y : y + 18, x : x + 22, :3] = rng.integers(0, 256, 3)
        pixels[y : y + 18, x : x + 22, 3] = rng.choice([90, 255])
        images.append(Image.fromarray(pixels, "RGBA"))
    return images


def on_their_canvas(path: Path) -> list[np.ndarray]:
    """(H, W, 4) of each frame: of WebP by libwebp, of PNG by FFmpeg (Pillow forgets the canvas of "previous")."""
    if path.suffix == ".webp":
        with Image.open(path) as image:
            return [np.array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]
    with av.open(str(path), format="apng") as container:
        return [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]


@pytest.mark.parametrize("suffix", ["webp", "png"])
@pytest.mark.parametrize("dispose", [0, 1, 2])
@pytest.mark.parametrize("blend", [0, 1])
def test_frames_lie_on_the_canvas_as_in_other_decoders(suffix, dispose, blend, tmp_path):
    images = patches(np.random.default_rng(10 * dispose + blend))
    how = dict(lossless=True, minimize_size=True) if suffix == "webp" else dict(disposal=dispose, blend=blend)
    path = tmp_path / f"a.{suffix}"
    images[0].save(path, save_all=True, append_images=images[1:], duration=40, **how)
    true = on_their_canvas(path)
    frames, _ = read(path)
    assert len(frames) == len(true) == len(images)
    for frame, rgba in zip(frames, true, strict=True):
        seen = rgba[..., 3] > 0  # what colour is under nothing is nobody's business
        np.testing.assert_allclose(frame.image[seen].astype(int), rgba[seen, :3], atol=2)


def test_the_still_before_an_apng_is_no_frame(tmp_path):
    images = [Image.fromarray(numbered(index)) for index in range(4)]
    images[0].save(
        tmp_path / "a.png", save_all=True, default_image=True, append_images=images[1:], duration=40
    )
    frames, _ = read(tmp_path / "a.png")
    assert [number_in(frame.image) for frame in frames] == [1, 2, 3]


def test_an_animation_of_palettes_and_of_grey(tmp_path):
    for mode in ("P", "L"):
        images = [Image.fromarray(numbered(index)).convert(mode) for index in range(4)]
        images[0].save(tmp_path / f"{mode}.png", save_all=True, append_images=images[1:], duration=1000 / 30)
        frames, _ = read(tmp_path / f"{mode}.png")
        assert [number_in(frame.image) for frame in frames] == [0, 1, 2, 3]


# Limits -----------------------------------------------------------------------------------------------


def test_a_canvas_that_is_too_large_is_refused_unopened(tmp_path):
    path = written(tmp_path / "film.png", **KINDS["png"])
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 60000, 60000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    with pytest.raises(ChorosError, match="60000x60000 px, more than is read"):
        open_video(path)
    path = written(tmp_path / "film.webp", **KINDS["webp"])
    data = bytearray(path.read_bytes())
    data[24:30] = b"\xff\xff\x00\xff\xff\x00"
    path.write_bytes(data)
    with pytest.raises(ChorosError, match="65536x65536 px, more than is read"):
        open_video(path)


@pytest.mark.parametrize("suffix", ["webp", "png", "tif"])
def test_memory_does_not_grow_with_the_film(suffix, tmp_path):
    def peak(n: int) -> int:
        images = [Image.fromarray(np.full((200, 300, 3), 40 * index % 256, np.uint8)) for index in range(n)]
        path = tmp_path / f"{n}.{suffix}"
        images[0].save(path, save_all=True, append_images=images[1:])
        tracemalloc.start()
        with open_video(path) as reader:
            assert sum(1 for _ in reader) == n
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(10)  # imports
    assert peak(150) < 1.5 * peak(30) + 200_000


def test_a_list_of_pages_that_breaks_off_ends(tmp_path):
    """Pillow would try the page that leads nowhere for ever."""
    path = written(tmp_path / "stack.tif", n=4)
    data = bytearray(path.read_bytes())
    at = int.from_bytes(data[4:8], "little")
    for _ in range(2):
        count = int.from_bytes(data[at : at + 2], "little")
        before, at = (
            at + 2 + 12 * count,
            int.from_bytes(data[at + 2 + 12 * count : at + 6 + 12 * count], "little"),
        )
    data[before : before + 4] = (len(data) - 1).to_bytes(
        4, "little"
    )  # the third page begins at the last byte
    path.write_bytes(data)
    frames, reader = read(path)
    assert [number_in(frame.image) for frame in frames] == [0, 1]
    assert "page 3" in reader.gaps[-1].reason
