"""HMR 2.0's checkpoint as its authors released it: Lightning's file, and the settings that lie near it.

Sizes are told by the shapes of the tensors. What shapes do not say, such as the number of heads, is read from
``model_config.yaml``, or is what was released where there is no such file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from choros.backbones.vit import SIZES, VitConfig
from choros.checkpoints import LoadReport, companion, load_into, read_state_dict
from choros.checkpoints.shells import Shape
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import CROP, CROP_FOCAL_PX, DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.decoder import N_CAMERA
from choros.fourdhumans.hmr2.network import Hmr2Network

SETTINGS = "model_config.yaml"

#: Widths of a head where nothing says how many there are.
ENCODER_HEAD, DECODER_HEAD = 64, DecoderConfig().head_width

#: Beginnings of names that are no part of the network that answers: the body and what training needs.
ASIDE = ("smpl.", "discriminator.", "initialized")

_HEAD = r"smpl_head\."
_LAYER = r"smpl_head\.transformer\.transformer\.layers\.(\d+)\."

#: What names begin with, theirs and ours, in the order in which they are tried.
NAMES = (
    (r"backbone\.", "encoder."),
    (rf"{_HEAD}transformer\.pos_embedding", "decoder.position"),
    (rf"{_HEAD}transformer\.to_token_embedding\.", "decoder.query."),
    (rf"{_LAYER}0\.norm\.", r"decoder.layers.\1.self_norm."),
    (rf"{_LAYER}0\.fn\.to_qkv\.", r"decoder.layers.\1.self_query_key_value."),
    (rf"{_LAYER}0\.fn\.to_out\.0\.", r"decoder.layers.\1.self_out."),
    (rf"{_LAYER}1\.norm\.", r"decoder.layers.\1.cross_norm."),
    (rf"{_LAYER}1\.fn\.to_q\.", r"decoder.layers.\1.cross_query."),
    (rf"{_LAYER}1\.fn\.to_kv\.", r"decoder.layers.\1.cross_key_value."),
    (rf"{_LAYER}1\.fn\.to_out\.0\.", r"decoder.layers.\1.cross_out."),
    (rf"{_LAYER}2\.norm\.", r"decoder.layers.\1.mlp_norm."),
    (rf"{_LAYER}2\.fn\.net\.0\.", r"decoder.layers.\1.mlp_in."),
    (rf"{_LAYER}2\.fn\.net\.3\.", r"decoder.layers.\1.mlp_out."),
    (rf"{_HEAD}decpose\.", "decoder.pose."),
    (rf"{_HEAD}decshape\.", "decoder.betas."),
    (rf"{_HEAD}deccam\.", "decoder.camera."),
    (rf"{_HEAD}init_body_pose", "decoder.mean_pose"),
    (rf"{_HEAD}init_betas", "decoder.mean_betas"),
    (rf"{_HEAD}init_cam", "decoder.mean_camera"),
)


def load_released(path: str | Path) -> tuple[Hmr2Network, LoadReport]:
    """The network in a released checkpoint, ready to answer, and which tensors were what.

    Nothing in the file runs. Raises ``ChorosError`` if it is no such checkpoint, lacks a weight, or the settings beside
    it are of another camera than the released one.
    """
    path = Path(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in read_state_dict(path).items()}
    with torch.device("meta"):
        network = Hmr2Network(released_config(shapes, path))
    report = load_into(network, path, rename=our_name)
    return network.eval().requires_grad_(False), report


def our_name(theirs: str) -> str | None:
    """What a tensor of the release is called here; None for what the network does without."""
    if theirs.startswith(ASIDE):
        return None
    for pattern, ours in NAMES:
        found = re.match(pattern, theirs)
        if found:
            return found.expand(ours) + theirs[found.end() :]
    return theirs


def released_config(shapes: Mapping[str, Shape], path: Path) -> Hmr2Config:
    """The sizes of a checkpoint with tensors of these ``shapes``, by their names in it, which lies at ``path``."""
    settings = settings_near(path)
    named = {name: shape for theirs, shape in shapes.items() if (name := our_name(theirs)) is not None}
    try:
        width, _, patch, _ = named["encoder.patch_embed.proj.weight"]
        depth = _numbered(named, r"encoder\.blocks\.(\d+)\.")
        encoder = next(
            (size for size in SIZES.values() if (size.width, size.depth) == (width, depth)),
            VitConfig(width, depth, max(1, width // ENCODER_HEAD)),
        )
        first = "decoder.layers.0."
        inner, context = named[f"{first}cross_query.weight"][0], named[f"{first}cross_key_value.weight"][1]
        head = int(settings.get("MODEL.SMPL_HEAD.TRANSFORMER_DECODER.dim_head", DECODER_HEAD))
        decoder = DecoderConfig(
            context_width=context,
            width=named["decoder.position"][-1],
            layers=_numbered(named, r"decoder\.layers\.(\d+)\."),
            heads=max(1, inner // head),
            head_width=min(head, inner),
            mlp_width=named[f"{first}mlp_in.weight"][0],
            ief_iters=int(settings.get("MODEL.SMPL_HEAD.IEF_ITERS", 1)),
            query="zero" if named["decoder.query.weight"][1] < N_CAMERA else "estimate",
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ChorosError(
            f"{path} does not hold HMR 2.0 as released ({error}); give its epoch=35-step=1000000.ckpt."
        ) from error
    for setting, ours in (("MODEL.IMAGE_SIZE", CROP.size_px[0]), ("EXTRA.FOCAL_LENGTH", CROP_FOCAL_PX)):
        if float(settings.get(setting, ours)) != ours:
            raise ChorosError(
                f"{path} was trained with {setting} {settings[setting]}, not {ours:g}; give the released files."
            )
    return Hmr2Config(replace(encoder, patch_px=patch), decoder)


def settings_near(checkpoint: Path) -> dict[str, str]:
    """What ``model_config.yaml`` says, values by names with dots between.

    It lies in the checkpoint's folder or the one above, or is kept in what was converted. Mappings of mappings of plain
    values, as the release writes them; lists are passed over. Empty without such a file.
    """
    found = companion(checkpoint, SETTINGS, f"../{SETTINGS}")
    settings: dict[str, str] = {}
    within: list[tuple[int, str]] = []  # how far each mapping that is open is set in, and its name
    for line in (found or b"").decode(errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if not colon or key.lstrip().startswith(("-", "#")):
            continue
        inset = len(key) - len(key.lstrip())
        while within and within[-1][0] >= inset:
            within.pop()
        name = ".".join([*(outer for _, outer in within), key.strip()])
        if value.strip():
            settings[name] = value.strip().strip("'\"")
        else:
            within.append((inset, key.strip()))
    return settings


def _numbered(named: Mapping[str, Shape], pattern: str) -> int:
    """How many layers there are of those whose names begin with a number."""
    return 1 + max(int(found[1]) for name in named if (found := re.match(pattern, name)))
