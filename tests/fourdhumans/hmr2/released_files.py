"""HMR 2.0's released checkpoint without the file: its names and shapes, values made from them, and traps in it."""

import pickle
import zlib
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import torch

#: Sizes as released, and the same network so narrow that a test takes no time.
FULL = SimpleNamespace(encoder=1280, depth=32, width=1024, layers=6, inner=512, mlp=1024)
NARROW = SimpleNamespace(encoder=64, depth=2, width=48, layers=2, inner=128, mlp=40)


def released_shapes(s):
    """Shapes of the tensors by the names that the release has for them."""
    shapes = {
        "backbone.pos_embed": (1, 193, s.encoder),
        "backbone.patch_embed.proj.weight": (s.encoder, 3, 16, 16),
        "backbone.patch_embed.proj.bias": (s.encoder,),
    }
    for block in range(s.depth):
        for part, shape in (
            ("norm1", (s.encoder,)), ("attn.qkv", (3 * s.encoder, s.encoder)), ("attn.proj", (s.encoder, s.encoder)),
            ("norm2", (s.encoder,)), ("mlp.fc1", (4 * s.encoder, s.encoder)), ("mlp.fc2", (s.encoder, 4 * s.encoder)),
        ):  # fmt: skip
            shapes[f"backbone.blocks.{block}.{part}.weight"] = shape
            shapes[f"backbone.blocks.{block}.{part}.bias"] = shape[:1]
    shapes |= {"backbone.last_norm.weight": (s.encoder,), "backbone.last_norm.bias": (s.encoder,)}
    head = "smpl_head.transformer"
    shapes |= {
        f"{head}.pos_embedding": (1, 1, s.width),
        f"{head}.to_token_embedding.weight": (s.width, 1),
        f"{head}.to_token_embedding.bias": (s.width,),
    }
    for layer in range(s.layers):
        begin = f"{head}.transformer.layers.{layer}"
        for part in range(3):
            shapes |= {f"{begin}.{part}.norm.{kind}": (s.width,) for kind in ("weight", "bias")}
        shapes |= {
            f"{begin}.0.fn.to_qkv.weight": (3 * s.inner, s.width),
            f"{begin}.1.fn.to_kv.weight": (2 * s.inner, s.encoder),
            f"{begin}.1.fn.to_q.weight": (s.inner, s.width),
            f"{begin}.2.fn.net.0.weight": (s.mlp, s.width),
            f"{begin}.2.fn.net.0.bias": (s.mlp,),
            f"{begin}.2.fn.net.3.weight": (s.width, s.mlp),
            f"{begin}.2.fn.net.3.bias": (s.width,),
        }
        for part in range(2):
            shapes[f"{begin}.{part}.fn.to_out.0.weight"] = (s.width, s.inner)
            shapes[f"{begin}.{part}.fn.to_out.0.bias"] = (s.width,)
    for name, numbers in (("decpose", 144), ("decshape", 10), ("deccam", 3)):
        shapes |= {
            f"smpl_head.{name}.weight": (numbers, s.width),
            f"smpl_head.{name}.bias": (numbers,),
        }
    for name, numbers in (("init_body_pose", 144), ("init_betas", 10), ("init_cam", 3)):
        shapes[f"smpl_head.{name}"] = (1, numbers)
    return shapes


def tensor_by_name(name, shape):
    """Values that follow from the name alone, so that others can be given the same weights without a file."""
    value = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    if len(shape) >= 2:
        return value / np.float32(np.sqrt(np.prod(shape[1:])))
    return np.float32(1) + np.float32(0.1) * value if name.endswith("weight") else np.float32(0.1) * value


class Canary:
    """Would write a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def write_checkpoint(path, sizes, canary_path, without=None):
    """What Lightning writes of the network: beside its weights the body, the discriminator, optimisers, settings."""
    tensors = OrderedDict(
        (name, torch.from_numpy(tensor_by_name(name, shape)))
        for name, shape in released_shapes(sizes).items()
        if name != without
    )
    tensors |= {
        "smpl.v_template": torch.zeros(5, 3), "smpl.joint_regressor_extra": torch.zeros(19, 5),
        "discriminator.D_conv1.weight": torch.zeros(32, 9, 1, 1), "initialized": torch.tensor(True),
    }  # fmt: skip
    content = {
        "epoch": 35, "global_step": 1_000_000, "pytorch-lightning_version": "1.8.1", "state_dict": tensors,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.rand(3)}}}, {}],
        "hyper_parameters": {"cfg": Canary(canary_path)},
    }  # fmt: skip
    torch.save(content, path)
    assert pickle.dumps(content["hyper_parameters"]).count(b"open")
