"""Files of the names and shapes of PHALP's and LART's released networks, with other numbers in them."""

from pathlib import Path

import torch

FACTS = Path(__file__).parents[3] / "shared/facts/state_dicts"


def transformer(name, depth, width, inner, feedforward):
    shapes = {}
    for k in range(depth):
        block = f"{name}.layers.{k}"
        shapes |= {
            f"{block}.0.norm.weight": (width,), f"{block}.0.norm.bias": (width,),
            f"{block}.0.fn.to_qkv.weight": (3 * inner, width),
            f"{block}.0.fn.to_out.0.weight": (width, inner), f"{block}.0.fn.to_out.0.bias": (width,),
            f"{block}.1.norm.weight": (width,), f"{block}.1.norm.bias": (width,),
            f"{block}.1.fn.net.0.weight": (feedforward, width), f"{block}.1.fn.net.0.bias": (feedforward,),
            f"{block}.1.fn.net.3.weight": (width, feedforward), f"{block}.1.fn.net.3.bias": (width,),
        }  # fmt: skip
    return shapes


def linear(name, n_in, n_out):
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def heads(width):
    smpl = "smpl_head.0"
    return {
        f"{smpl}.init_body_pose": (1, 144), f"{smpl}.init_betas": (1, 10), f"{smpl}.init_cam": (1, 3),
        **linear(f"{smpl}.fc1", width + 157, 1024), **linear(f"{smpl}.fc2", 1024, 1024),
        **linear(f"{smpl}.decpose", 1024, 144), **linear(f"{smpl}.decshape", 1024, 10),
        **linear(f"{smpl}.deccam", 1024, 3),
        **linear("loca_head.0.0", width, width), **linear("loca_head.0.2", width, width),
        **linear("loca_head.0.4", width, 3), **linear("action_head_ava.0.0", width, 60),
    }  # fmt: skip


def convolutions(width):
    return {
        "conv_en.weight": (width, width, 7), "conv_en.bias": (width,),
        "conv_de.weight": (width, width, 7), "conv_de.bias": (width,),
    }  # fmt: skip


def phalp_shapes(width=256, depth=6, inner=512, frames=125):
    return {
        "mask_token": (width,), "class_token": (1, 1, width), "pos_embedding": (10000, width),
        "pos_embedding_learned1": (1, frames, width), "pos_embedding_learned2": (1, frames, width),
        "pe": (10000, width),
        **transformer("transformer", depth, width, inner, 256),
        **transformer("transformer1", depth, width, inner, 256),
        **transformer("transformer2", 1, width, inner, 256),
        **convolutions(width),
        **linear("pose_shape_encoder.0", 229, 229), **linear("pose_shape_encoder.2", 229, width),
        **heads(width),
    }  # fmt: skip


def lart_shapes(depth=16, inner=1024, feedforward=512):
    return {
        "mask_token": (512,), "class_token": (1, 1, 512), "pos_embedding": (512, 250, 10), "pe": (512, 250, 10),
        **transformer("transformer", depth, 512, inner, feedforward),
        **convolutions(512),
        **linear("pose_shape_encoder.0", 229, 229), **linear("pose_shape_encoder.2", 229, 128),
        **heads(512),
        **linear("action_head_kinetics.0", 512, 512), **linear("action_head_kinetics.2", 512, 512),
        **linear("action_head_kinetics.4", 512, 400),
        **linear("joint_encoder.0", 135, 256), **linear("joint_encoder.2", 256, 256),
        **linear("joint_encoder.4", 256, 128),
        **linear("apperance_encoder.0", 2048, 512), **linear("apperance_encoder.2", 512, 512),
        **linear("apperance_encoder.4", 512, 256),
    }  # fmt: skip


def written(path, shapes, seed=0, drop=()):
    """A Lightning file of such a network; its tensors, without the prefix."""
    torch.manual_seed(seed)
    tensors = {name: torch.randn(shape) * 0.05 for name, shape in shapes.items()}
    tensors["smpl_head.0.init_body_pose"] += torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(24)
    kept = {f"encoder.{name}": tensor for name, tensor in tensors.items() if name not in drop}
    torch.save({"state_dict": kept, "epoch": 3, "hyper_parameters": {"cfg": None}}, path)
    return tensors


def facts(name):
    """Names and shapes as the notes on the released code have them; None where those are not."""
    path = FACTS / f"{name}_sd.txt"
    if not path.is_file():
        return None
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: tuple(int(n) for n in shape.strip("()").split(",") if n.strip()) for name, shape in
            (line.split(" ", 1) for line in lines)}  # fmt: skip
