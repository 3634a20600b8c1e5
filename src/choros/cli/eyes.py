"""``choros eyes``: networks that do not come with choros, and what stands behind --eyes and --detector."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

from tyro.conf import Positional, arg, subcommand

from choros.cli.arguments import OptionalFolder
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.detection import Detector, KeypointEstimator
    from choros.detection.eyes.catalogue import Offer
    from choros.devices import Device

#: The keypoint networks that come with choros, and the detector.
ShippedEyes: TypeAlias = Literal["lightning", "thunder"]
SHIPPED_DETECTOR = "nanodet"


@dataclass
class List:
    """Show the networks that can be had, where from, and which are on this machine."""

    folder: OptionalFolder = None
    """Where they lie, if not in your own folder of choros's data."""

    def run(self) -> None:
        """Print them, three lines each."""
        from choros.detection.eyes.catalogue import OFFERS

        folder = self.folder or eyes_folder()
        for offer in OFFERS:
            here = ", on this machine" if offer.path_in(folder).is_file() else ""
            print(f"{offer.name}: {offer.what} ({_flags(offer)}){here}")
            known = "no SHA-256 yet" if offer.sha256 is None else f"SHA-256 {offer.sha256[:8]}"
            print(f"    {offer.licence}; {known}")
            print(f"    {offer.url}")
        print(f"`choros eyes get NAME` fetches one into {folder}")


@dataclass
class Get:
    """Download networks; run it again where it was cut off, and it goes on from there."""

    names: Positional[Annotated[tuple[str, ...], arg(metavar="NAME...")]]
    """Names that `choros eyes list` shows."""
    folder: OptionalFolder = None
    """Where to, if not into your own folder of choros's data."""

    def run(self) -> None:
        """Fetch one after the other."""
        from choros.cli.progress import TrackProgress
        from choros.detection.eyes.catalogue import offer_of
        from choros.detection.eyes.download import fetch

        folder = self.folder or eyes_folder()
        offers = [offer_of(name) for name in self.names]
        for offer in offers:
            with (
                TrackProgress(f"getting {offer.name}") as progress,
                warnings.catch_warnings(record=True) as said,
            ):
                warnings.simplefilter("always")
                path = fetch(offer, folder, progress.count)
            for warning in said:
                print(f"choros: {warning.message}", file=sys.stderr)
            print(
                f"{path}: {path.stat().st_size / 1e6:.1f} MB, {offer.licence}; {_flags(offer)} {offer.name}"
            )


@dataclass
class Eyes:
    """Networks that find people and their keypoints, beside those that come with choros."""

    what: Annotated[
        Annotated[List, subcommand("list")] | Annotated[Get, subcommand("get")],
        arg(name=""),  # no heading of its own in the help
    ]

    def run(self) -> None:
        """Do what was asked for."""
        self.what.run()


def eyes_folder() -> Path:
    """Where a user's networks lie: in the folder that the system has for data of programs, choros/eyes."""
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    elif sys.platform == "darwin":
        data = home / "Library/Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return data / "choros" / "eyes"


def eyes_named(text: str, device: Device) -> KeypointEstimator:
    """What follows --eyes: a network that ships, one that was got or trained, or a file. Raises ``ChorosError``."""
    from choros.detection import MoveNet, OwnKeypoints, keypoints_from

    if text in get_args(ShippedEyes):
        name: Any = text
        return MoveNet(name, device=device)
    if Path(text).suffix == ".safetensors":
        return OwnKeypoints(Path(text), device=device)
    return keypoints_from(_file(text, "eyes"), device=device)


def detector_named(text: str, device: Device) -> Detector:
    """What follows --detector: the one that ships, one that was got, or a file. Raises ``ChorosError``."""
    from choros.detection import NanoDet, detector_from

    return NanoDet(score=0.25, device=device) if text == SHIPPED_DETECTOR else detector_from(
        _file(text, "detector"), device=device
    )  # fmt: skip


def path_named(text: str, part: str) -> Path | None:
    """The file that is read for what follows --eyes or --detector; None for what ships. Raises ``ChorosError``."""
    if text in (SHIPPED_DETECTOR, *get_args(ShippedEyes)):
        return None
    file = _file(text, part)
    path = Path(file if Path(file).is_file() else file.partition(":")[2] or file)
    if not path.is_file():
        raise ChorosError(f"{path}: no such file; check the path.")
    return path


def _file(text: str, part: str) -> str:
    """A file, with its family before it if that was said or the table knows it."""
    from choros.detection.eyes.catalogue import OFFERS
    from choros.detection.eyes.download import checked

    if Path(text).suffix == ".onnx" or Path(text).exists():
        return text
    offer = next((offer for offer in OFFERS if offer.name == text), None)
    if offer is None or part not in offer.parts:
        ships = [SHIPPED_DETECTOR] if part == "detector" else list(get_args(ShippedEyes))
        names = ships + [offer.name for offer in OFFERS if part in offer.parts]
        raise ChorosError(f"--{part} takes a file (.onnx) or one of {', '.join(names)}, not {text}.")
    path = checked(offer, eyes_folder())
    return f"{offer.family}:{path}" if offer.family else str(path)


def _flags(offer: Offer) -> str:
    return " or ".join(f"--{part}" for part in offer.parts)
