"""Weights: safetensors files that say in their own metadata what they are and under which licence.

The ones that ship lie in the package beside their system; a user's own are given by path. Nothing here can
run code from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from choros.errors import ChorosError

if TYPE_CHECKING:
    from torch import Tensor, nn

NetworkT = TypeVar("NetworkT", bound="nn.Module")

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Shipped:
    """A file of weights or data inside the package."""

    name: str
    path: Path
    what: str
    licence: str


BODY_LICENCE = "CC0 and Apache-2.0"

_DETECTION = PACKAGE / "detection/data"

SHIPPED = (
    Shipped("body", PACKAGE / "body/data/open_body.npz", "open body, full detail", BODY_LICENCE),
    Shipped("body-light", PACKAGE / "body/data/open_body_light.npz", "open body, light", BODY_LICENCE),
    Shipped("pose-prior", PACKAGE / "body/data/pose_prior.npz", "likely poses of the body", "Apache-2.0"),
    Shipped("nanodet", _DETECTION / "nanodet_g.onnx", "person detector NanoDet-g", "Apache-2.0"),
    Shipped(
        "nanodet-int8",
        _DETECTION / "nanodet_g-int8.onnx",
        "that detector in eight bits, of people alone",
        "Apache-2.0",
    ),
    Shipped(
        "movenet-lightning",
        _DETECTION / "movenet-lightning.onnx",
        "keypoints, fast",
        "Apache-2.0",
    ),
    Shipped(
        "movenet-thunder",
        _DETECTION / "movenet-thunder.onnx",
        "keypoints, accurate",
        "Apache-2.0",
    ),
    Shipped(
        "keypoints-graph",
        _DETECTION / "keypoints.onnx",
        "what choros train keypoints trains, for onnxruntime, without weights",
        "Apache-2.0",
    ),
    Shipped("segmenter", _DETECTION / "selfie_segmentation.onnx", "person or background", "Apache-2.0"),
    Shipped(
        "motion-model",
        PACKAGE / "scenes/data/motion_model.safetensors",
        "motion for scenes",
        "Apache-2.0",
    ),
    Shipped(
        "comotion",
        PACKAGE / "comotion/data/small.safetensors",
        "CoMotion, small",
        "Apache-2.0",
    ),
    Shipped(
        "trunk",
        PACKAGE / "backbones/data/movenet-multipose.safetensors",
        "image trunk of CoMotion: MoveNet MultiPose's",
        "Apache-2.0",
    ),
    Shipped(
        "trunk-graph",
        PACKAGE / "backbones/data/movenet-multipose.onnx",
        "that trunk for onnxruntime, without its weights",
        "Apache-2.0",
    ),
    Shipped(
        "trunk-int8",
        PACKAGE / "backbones/data/movenet-multipose-int8.onnx",
        "that trunk with its weights, in eight bits",
        "Apache-2.0",
    ),
    Shipped("infiller", PACKAGE / "glamr/data/infiller.safetensors", "motion nobody saw", "Apache-2.0"),
    Shipped("trajectory", PACKAGE / "glamr/data/trajectory.safetensors", "paths in the world", "Apache-2.0"),
    Shipped(
        "pose-transformer",
        PACKAGE / "fourdhumans/data/pose_transformer.safetensors",
        "poses over time, for 4DHumans",
        "Apache-2.0",
    ),
    Shipped("actions", PACKAGE / "fourdhumans/data/actions.safetensors", "what people do", "Apache-2.0"),
    Shipped(
        "hmr2-small",
        PACKAGE / "fourdhumans/data/hmr2_small.safetensors",
        "HMR 2.0, small, for 4DHumans",
        "Apache-2.0",
    ),
    Shipped("trace", PACKAGE / "trace/data/small.safetensors", "TRACE, small", "Apache-2.0"),
    Shipped("lifter", PACKAGE / "lifter/data/lifter.safetensors", "keypoints to SMPL", "Apache-2.0"),
)


def shipped(name: str) -> Path:
    """Where a shipped file lies. Raises ``ChorosError`` if the installation lacks it."""
    path = next(file.path for file in SHIPPED if file.name == name)
    if not path.is_file():
        raise ChorosError(f"{path} is missing from this installation; install choros again.")
    return path


def load(path: str | Path, expected_system: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a weights file of ``expected_system``.

    Metadata values that are JSON come parsed. Raises ``ChorosError`` if the file is missing, damaged, not
    safetensors that choros wrote, or made for another system; it says what the file is, also of other people's.
    """
    from safetensors import SafetensorError, safe_open

    from choros.checkpoints import what_is

    path = Path(path)
    found = what_is(path)
    if not found.loads:
        raise ChorosError(found.refusal())
    if found.system != expected_system:
        raise ChorosError(f"{path} is {found.what}, not weights for {expected_system}; {found.mend}.")
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = {key: _parsed(value) for key, value in (stored.metadata() or {}).items()}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ChorosError(f"{path} is not a safetensors file that can be read ({error}).") from error
    return tensors, metadata


def load_network(
    make: Callable[[dict[str, Any]], NetworkT], system: str, path: str | Path | None
) -> NetworkT:
    """What ``make`` gives for the configuration of a file (None: the one that ships), with its weights, to be used.

    Raises ``ChorosError`` as `load` does.
    """
    tensors, metadata = load(shipped(system) if path is None else path, system)
    network = make(metadata["config"])
    network.load_state_dict(tensors)
    return network.eval()


def save(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write weights and what is known of them; the file appears whole or not at all."""
    from safetensors.torch import save as to_bytes

    from choros.outputs import atomic_write

    text = {key: _written(value) for key, value in metadata.items()}
    with atomic_write(path) as file:
        file.write(_ordered(to_bytes({name: tensor.contiguous() for name, tensor in tensors.items()}, text)))


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its metadata by name, which safetensors writes in any order: same weights, same bytes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    line = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    line += b" " * (-len(line) % 8)  # numbers begin at a multiple of eight
    return len(line).to_bytes(8, "little") + line + content[8 + length :]


def _written(value: Any) -> str:
    """Text as it is, unless it reads like something else: commit 9171e33 is no number."""
    return value if isinstance(value, str) and _parsed(value) is value else json.dumps(value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
