"""Networks that ``choros eyes get`` fetches: where from, how large, their SHA-256 and their licence.

None of them comes with choros, and none was downloaded by those who wrote this table. An address stands in the
documentation of who publishes the network or of mmpose's rtmlib. A SHA-256 is of the network, out of its archive, and
stands here only where several public records that have nothing to do with each other name the same; where it is None
the first download tells it, with a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from choros.errors import ChorosError

EYES, DETECTOR = ("eyes",), ("detector",)
APACHE = "Apache-2.0, trained on data with terms of their own"


@dataclass(frozen=True)
class Offer:
    """A network to be had: an ONNX file, or a zip archive with one in it."""

    name: str
    parts: tuple[str, ...]  # what it can be: "eyes", "detector"
    what: str
    url: str
    family: str | None = None  # where the graph does not tell
    size: int | None = None  # bytes that are downloaded; None if nobody recorded it
    sha256: str | None = None  # of the ONNX file; None if nobody here could know
    licence: str = APACHE

    def path_in(self, folder: Path) -> Path:
        """Where it lies once it is there."""
        return folder / f"{self.name}.onnx"


_MMPOSE = "https://download.openmmlab.com/mmpose/v1/projects"
_SDK = f"{_MMPOSE}/rtmposev1/onnx_sdk"
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"

OFFERS = (
    Offer(
        "rtmpose-t",
        EYES,
        "RTMPose-t, 256 x 192, the fastest",
        f"{_SDK}/rtmpose-t_simcc-body7_pt-body7_420e-256x192-026a1439_20230504.zip",
        size=12_547_710,
        sha256="a6c2f6a3896a4d51131d14d7a80a3d08b50f559af5a58a45d5b098aef510a70f",
    ),
    Offer(
        "rtmpose-s",
        EYES,
        "RTMPose-s, 256 x 192",
        f"{_SDK}/rtmpose-s_simcc-body7_pt-body7_420e-256x192-acd4a1ef_20230504.zip",
        size=20_496_303,
        sha256="9aeb635b83f86aea45cf45d85798f7eba1a162de8e0d721c44e54fe5eebaf47d",
    ),
    Offer(
        "rtmpose-m",
        EYES,
        "RTMPose-m, 256 x 192",
        f"{_SDK}/rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.zip",
        sha256="5c0a4bf67953e6d2ac43ce15e77dc9d5d354ae18430a47d2c5963a7bc5683e3c",
    ),
    Offer(
        "rtmpose-x",
        EYES,
        "RTMPose-x, 384 x 288, the best",
        f"{_SDK}/rtmpose-x_simcc-body7_pt-body7_700e-384x288-71d7b7e9_20230629.zip",
        sha256="df0c0fa91e9870b1515dcaff741fd76cc753dcfb12786862f61b243bae81cd52",
    ),
    Offer(
        "rtmo-s",
        ("eyes", "detector"),
        "RTMO-s, 640 x 640, everybody in one run",
        f"{_MMPOSE}/rtmo/onnx_sdk/rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip",
        size=36_442_532,
        sha256="d0703d40d19f3921da51ae725402d5fdae4d2478c7442072d3101bd396f370d8",
    ),
    Offer(
        "vitpose-b",
        EYES,
        "ViTPose-B, 256 x 192, large; converted by easy_ViTPose",
        "https://huggingface.co/JunkyByte/easy_ViTPose/resolve/main/onnx/coco/vitpose-b-coco.onnx",
        family="udp-heatmap",
    ),
    Offer(
        "yolox-nano",
        DETECTOR,
        "YOLOX-Nano, 416 x 416, the fastest",
        f"{_YOLOX}/yolox_nano.onnx",
        size=3_659_407,
        sha256="c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
    ),
    Offer(
        "yolox-s",
        DETECTOR,
        "YOLOX-S, 640 x 640",
        f"{_YOLOX}/yolox_s.onnx",
        size=35_858_002,
        sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
    ),
    Offer(
        "yolox-tiny-humanart",
        DETECTOR,
        "YOLOX-Tiny of mmpose, 416 x 416, people alone",
        f"{_SDK}/yolox_tiny_8xb8-300e_humanart-6f3252f9.zip",
        family="yolox-nms",
        sha256="ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250",
        licence="Apache-2.0, trained on Human-Art (not for commercial use)",
    ),
    Offer(
        "yolox-m-humanart",
        DETECTOR,
        "YOLOX-M of mmpose, 640 x 640, people alone",
        f"{_SDK}/yolox_m_8xb8-300e_humanart-c2c7a14a.zip",
        family="yolox-nms",
        sha256="3dea6513388889f0fff4b77bf7a26013600321b9eb9ceb0e9a400a82572f5f23",
        licence="Apache-2.0, trained on Human-Art (not for commercial use)",
    ),
)


def offer_of(name: str, offers: Sequence[Offer] = OFFERS) -> Offer:
    """What is offered under a name. Raises ``ChorosError`` if nothing is."""
    for offer in offers:
        if offer.name == name:
            return offer
    near = get_close_matches(name, [offer.name for offer in offers], 1)
    hint = f"did you mean {near[0]}?" if near else "`choros eyes list` shows them."
    raise ChorosError(f"there is no network called {name!r} to get; {hint}")
