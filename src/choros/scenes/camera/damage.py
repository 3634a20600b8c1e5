"""What a real camera does to a picture: exposure that wanders, an open shutter, JPEG's and H.264's compression.

Which of them a scene suffers, and how much, is drawn once per scene; many suffer little. Everything is a function
of the pictures and that draw, so that the same scene comes out the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHUNK = 8  # frames that are coded together: the distance of H.264's whole pictures


@dataclass(frozen=True)
class Damage:
    """What one scene's camera does."""

    shutter_s: float  # how long it is open
    gains: Floats  # (T,) of exposure
    jpeg: int | None  # quality, 1 to 100
    crf: int | None  # of H.264: 18 good, 35 poor


def sample_damage(rng: np.random.Generator, times_s: Floats, share: float) -> Damage:
    """Damage to frames at times (T,); ``share`` 0 is a perfect camera, 1 what phones and webcams do."""
    shutter_s = float(np.exp(rng.uniform(np.log(1 / 400), np.log(1 / 40))))
    wander = rng.normal(0, 0.05) * np.sin(2 * np.pi * (times_s / rng.uniform(3, 9) + rng.uniform()))
    # Something bright or dark comes into the picture, and automatic exposure takes a moment to find back.
    jump, when = rng.normal(0, 0.3), rng.uniform(0, float(times_s[-1]) + 1)
    since = times_s - when
    settled = np.where(since > 0, np.exp(-np.maximum(since, 0) / rng.uniform(0.2, 0.8)), 0.0)
    wander += (rng.uniform() < 0.35) * jump * settled
    coding = str(rng.choice(["none", "jpeg", "h264"], p=[0.25, 0.3, 0.45]))
    loss = float(rng.beta(1.3, 2.2)) * share
    return Damage(
        shutter_s * share,
        np.exp(share * wander),
        round(97 - 75 * loss) if coding == "jpeg" and share > 0 else None,
        round(17 + 20 * loss) if coding == "h264" and share > 0 else None,
    )


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) RGB through JPEG and back."""
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return np.asarray(
        cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB), np.uint8
    )


def h264(images: Sequence[NDArray[np.uint8]], crf: int) -> list[NDArray[np.uint8]]:
    """Pictures (H, W, 3) RGB through H.264 and back, the first of them coded whole.

    By one thread, so that the same pictures always come out the same.
    """
    height, width = images[0].shape[:2]
    coder = cast(av.VideoCodecContext, av.CodecContext.create("libx264", "w"))
    coder.width, coder.height = width + width % 2, height + height % 2
    coder.pix_fmt, coder.framerate = "yuv420p", Fraction(25)
    coder.options = {
        "crf": str(crf), "preset": "superfast", "bf": "0", "g": str(len(images)), "threads": "1",
        "x264-params": "rc-lookahead=0:sync-lookahead=0:mbtree=0:scenecut=0",
    }  # fmt: skip
    decoder = cast(av.VideoCodecContext, av.CodecContext.create("h264", "r"))
    decoder.thread_count = 1
    to_yuv, to_rgb = VideoReformatter(), VideoReformatter()
    packets = []
    for number, image in enumerate(images):
        padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        frame = to_yuv.reformat(picture, format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts = number
        packets += coder.encode(frame)
    packets += coder.encode(None)
    decoded = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    shown = (
        to_rgb.reformat(f, format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray() for f in decoded
    )
    return [np.ascontiguousarray(image[:height, :width]) for image in shown]
