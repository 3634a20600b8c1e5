"""Makes what the keypoint network begins with out of MoveNet Lightning, and its ONNX graph.

    python tools/build_keypoints.py begin start.safetensors
    python tools/build_keypoints.py graph src/choros/detection/data/keypoints.onnx

The first takes MoveNet's convolutions as they are. The widest layer and the way from there to the pyramid become one
convolution, which comes closest to both in features of made-up pictures (least squares). The second names the weights
and holds none: `choros.detection.own` hands them over. Both need onnx.
"""

import argparse
from pathlib import Path

import onnx
import torch
from build_trunk_graph import CONSTANTS, IR_VERSION, OPSET, Tracer, named, nodes_of
from build_trunks import movenet, pictures
from onnx import TensorProto, helper
from torch import Tensor

from choros import weights
from choros.backbones.movenet import MoveNetTrunk
from choros.training.keypoints.network import CELL_PX, HEIGHT_PX, SYSTEM, WIDTH_PX, KeypointNetwork

LIGHTNING = "movenet-lightning"


@torch.inference_mode()
def begin() -> KeypointNetwork:
    """The network with MoveNet Lightning's weights."""
    trunk = movenet(weights.shipped(LIGHTNING), "lightning").eval()
    network = KeypointNetwork()
    tensors = {
        name.replace("heads.heatmap.", "head."): tensor
        for name, tensor in trunk.state_dict().items()
        if not name.startswith(("top.", "heads.regress.", "laterals.0.")) and not name.endswith("_scale")
    }
    weight, bias = shortcut(trunk)
    tensors |= {"laterals.0.weight": weight, "laterals.0.bias": bias}
    network.load_state_dict(tensors)  # raises if one is lacking or left over
    return network


def shortcut(trunk: MoveNetTrunk) -> tuple[Tensor, Tensor]:
    """Weight (64, 320, 1, 1) and bias (64,) of one convolution for the widest layer and the one after it."""
    before, after = [], []
    for image in pictures():
        x = trunk.stem((image[None] * 2 - 1).contiguous(memory_format=torch.channels_last))
        for stage in trunk.stages:
            x = stage(x)
        before.append(x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]))
        after.append(trunk.laterals[0](trunk.top(x)).permute(0, 2, 3, 1).reshape(-1, 64))
    given, wanted = torch.cat(before).double(), torch.cat(after).double()
    given = torch.cat([given, torch.ones(len(given), 1, dtype=given.dtype)], 1)
    ridge = 1e-3 * given.square().mean() * torch.eye(given.shape[1], dtype=given.dtype) * len(given)
    solved = torch.linalg.solve(given.T @ given + ridge, given.T @ wanted).float()
    left = ((given.float() @ solved - wanted.float()).square().mean() / wanted.float().var(0).mean()).item()
    print(f"of the variance of the coarsest features {1 - left:.3f} remain")
    return solved[:-1].T.reshape(64, -1, 1, 1).contiguous(), solved[-1].contiguous()


def graph() -> onnx.ModelProto:
    """``crops`` (batch, 3, 256, 192), RGB in -1..1, to ``maps`` (batch, 17, 64, 48), the chance in each cell."""
    network = KeypointNetwork()
    nodes = []
    for node in Tracer().trace(network).nodes:
        if node.op == "output":
            nodes.append(helper.make_node("Sigmoid", [node.args[0].name], ["maps"]))
        elif node.op not in ("placeholder", "get_attr"):  # named "images", and as the buffer that it is
            nodes += nodes_of(node, network)
    float32 = TensorProto.FLOAT
    joints = network.head[1].out_channels
    crops = helper.make_tensor_value_info("images", float32, ["batch", 3, HEIGHT_PX, WIDTH_PX])
    maps = helper.make_tensor_value_info(
        "maps", float32, ["batch", joints, HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX]
    )
    tensors = [named(name, tensor) for name, tensor in network.state_dict().items()]
    made = helper.make_graph(nodes, "KeypointNetwork", [crops], [maps], [*CONSTANTS, *tensors])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["begin", "graph"])
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    if given.what == "graph":
        given.output.write_bytes(graph().SerializeToString())
        return
    about = {"system": SYSTEM, "source": "MoveNet Lightning, Google", "licence": "Apache-2.0"}
    weights.save(given.output, begin().state_dict(), about)


if __name__ == "__main__":
    main()
