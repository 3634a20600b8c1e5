"""Other people's checkpoints: what a file of weights is, told by the names of its tensors, and nothing in it runs.

The tensors themselves are never read: their names and shapes say whose they are. `what_is` tells;
`choros.weights.load` says it of a file that it cannot load.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from choros.checkpoints.shells import TAKE_OURS, Shape, load_shells, tensors_in
from choros.errors import ChorosError

MAX_HEADER_BYTES = (
    16 << 20
)  # of safetensors; ours are a few kilobytes, a bigger one is an attack or an accident
MAX_NAMES_BYTES = 64 << 20  # of the pickle in a PyTorch file, which holds no numbers; theirs take a megabyte
MAX_PICKLE_BYTES = 512 << 20  # of a pickle that holds its numbers itself
TORCH_MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)  # how torch.save began before it wrote zip archives

FETCH_AGAIN = "fetch the file itself again"
CONVERTED = "converted"  # the entry of a safetensors file's metadata that tells what it was converted of


@dataclass(frozen=True)
class Checkpoint:
    """What a file is that was given as weights."""

    path: Path
    what: str  # follows "FILE is"
    mend: str  # what to do about it, as all errors end
    system: str | None = None  # whose it is, such as "hmr2"; of choros's own files the one they are for
    loads: bool = False  # whether `choros.weights.load` reads it, for that system
    shapes: Mapping[str, Shape] = field(default_factory=dict)  # of its tensors, by their names
    terms: str | None = None  # under which its makers give it out, where that is known

    def refusal(self) -> str:
        """One sentence: what it is, whether choros loads it, what to do."""
        yet = " yet" if self.system in PEERS else ""
        loads = f"; choros does not load it{yet}" if self.mend == TAKE_OURS else ""
        return f"{self.path} is {self.what}{loads}; {self.mend}."


class Kind(NamedTuple):
    """A family of checkpoints. It is one of them if it has all names of one of its signs.

    A sign is beginnings of names, or of what follows a dot in them, with spaces between: whatever a training
    framework puts before the names of a network ("state_dict.", "module.", "encoder.") does not matter.
    """

    system: str | None
    what: str
    signs: tuple[str, ...]
    mend: str = TAKE_OURS
    terms: str | None = None


#: How those that choros runs are given.
OF_COMOTION = "give its folder to `choros track --system comotion --weights`, with --body"
OF_COMOTION_FILE = "give it to `choros track --system comotion --weights`, with --body"
OF_HMR2 = "give it to `choros track --system 4dhumans:hmr2 --weights`, with --body"
OF_GLAMR = "give it to `choros world --{}`"
OF_TRACE = "give its folder, with all three of TRACE's files, to `choros track --system trace --weights`, with --body"
APPLE = "Apple's machine learning research model licence: research only, not for commerce"
ROMP = "the code's are Apache-2.0 and MIT; the data that it learned from (Human3.6M, 3DPW and others), research only"
RAFT = "BSD-3-Clause, as RAFT's authors gave it out"
NVIDIA = "NVIDIA's source code licence for GLAMR: research and evaluation only"

#: The more telling ones first: a file that holds several networks is what its first sign says. Names as in the
#: published code of each.
KINDS = (
    Kind("comotion", "CoMotion's checkpoints in one file, as its authors released them",
         ("detection_head.enc1. feedback_gru_update. extra_smpl_reference.mean_pose",), OF_COMOTION_FILE, APPLE),
    Kind("comotion", "CoMotion's detection checkpoint, as its authors released it",
         ("image_backbone.stem.", "image_backbone.project_0.", "detection_head.enc1.", "fuse_features.dc0."),
         OF_COMOTION, APPLE),
    Kind("comotion", "CoMotion's refinement checkpoint, as its authors released it",
         ("feedback_gru_update.", "tokens_to_hidden.", "get_px_key.", "encode_smpl."), OF_COMOTION, APPLE),
    Kind("hmr2", "HMR 2.0's network (4DHumans)", ("smpl_head.transformer.", "backbone.patch_embed. smpl_head."),
         OF_HMR2),
    Kind("phalp", "PHALP's pose predictor (4DHumans)", ("pos_embedding_learned1", "transformer1.layers.")),
    Kind("phalp", "PHALP's appearance network, HMAR", ("texture_head.", "encoding_head.")),
    Kind("lart", "LART's network, which tells actions", ("apperance_encoder.", "action_head_kinetics.",
                                                         "action_head_ava.", "pose_shape_encoder. joint_encoder.")),
    Kind("glamr", "GLAMR's motion infiller, as its authors released it",
         ("data_decoder.prior_temporal_net.", "data_decoder.p_z_mu_net.", "context_encoder.temporal_net.layers."),
         OF_GLAMR.format("infiller"), NVIDIA),
    Kind("glamr", "GLAMR's trajectory predictor, as its authors released it",
         ("data_decoder.prior_mlp.", "data_decoder.p_z_net.", "context_encoder.temporal_net.0.rnn_f."),
         OF_GLAMR.format("trajectory"), NVIDIA),
    Kind("trace", "TRACE's head", ("cam_motion_head.", "bv_motion_out_layers.", "temp_smplpose_regressor."),
         OF_TRACE, ROMP),
    Kind("bev", "BEV's network, which TRACE takes as its image backbone", ("bv_pre_layers.", "bv_out_layers."),
         OF_TRACE, ROMP),
    Kind("romp", "ROMP's network", ("backbone.stage4. final_layers.",)),
    Kind("trace", "TRACE's image backbone, HRNet-W32", ("backbone.stage4.",), OF_TRACE, ROMP),
    Kind("trace", "RAFT, which is TRACE's motion backbone", ("fnet. cnet. update_block.",), OF_TRACE, RAFT),
    Kind("wham", "WHAM's network", ("motion_encoder. trajectory_decoder.",)),
    Kind("vitpose", "a ViTPose network or its backbone, from which HMR 2.0 begins",
         ("backbone.patch_embed. backbone.last_norm.", "backbone.patch_embed. keypoint_head.")),
    Kind("hrnet", "an HRNet, which finds keypoints or features in pictures", ("stage4.0.branches.",)),
    Kind("comotion", "the pose that CoMotion's released networks tell others from", ("mean_pose",), OF_COMOTION),
    Kind(None, "a body model of SMPL's family", ("v_template shapedirs", "J_regressor shapedirs"),
         "give it as the body (--body), if it is SMPL's own .pkl or .npz"),
    Kind(None, "what CoMotion's own program wrote about people, no network",
         ("betas pose trans frame_idx", "betas pose trans pred_2d")),
    Kind(None, "a motion that choros wrote, no network", ("body_pose keypoints_px transl",)),
)  # fmt: skip

#: Whose methods choros has, or means to have.
PEERS = frozenset(("comotion", "hmr2", "phalp", "lart", "glamr", "trace"))

#: What is no file of weights, by its first bytes.
BEGINNINGS = (
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file that it stands for",
     "fetch the file itself with git lfs pull"),
    (b"<!doctype", "a web page that was saved under this name", FETCH_AGAIN),
    (b"<html", "a web page that was saved under this name", FETCH_AGAIN),
    (b"<?xml", "an XML page that was saved under this name", FETCH_AGAIN),
    (b"{", "text in JSON that was saved under this name", FETCH_AGAIN),
    (b"\x1f\x8b", "a gzip archive", "unpack it and give the file of weights in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it and give the file of weights in it"),
    (b"rar!", "a RAR archive", "unpack it and give the file of weights in it"),
    (b"\xfd7zxz", "an xz archive", "unpack it and give the file of weights in it"),
    (b"bzh", "a bzip2 archive", "unpack it and give the file of weights in it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it and give the file of weights in it"),
    (b"\x89hdf\r\n\x1a\n", "an HDF5 file, as Keras keeps weights", TAKE_OURS),
    (b"gguf", "a GGUF file, as language models come in", TAKE_OURS),
    (b"\x93numpy", "a NumPy array, not weights", TAKE_OURS),
    (b"%pdf", "a PDF", TAKE_OURS),
    (b"\x89png", "a picture", TAKE_OURS),
    (b"\xff\xd8\xff", "a picture", TAKE_OURS),
)  # fmt: skip


def what_is(path: str | Path) -> Checkpoint:
    """What a file is that somebody gives as weights, by its content; its name does not count.

    Reads safetensors, PyTorch's .pt, .pth and .ckpt (also Lightning's), pickles and npz; recognises ONNX,
    TorchScript, archives, web pages, pointers of Git LFS and files cut short. Runs nothing of it, and of large
    files reads little. Raises ``ChorosError`` if there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        return Checkpoint(path, "a folder", "give a file of weights")
    if not path.is_file():
        raise ChorosError(f"{path} does not exist; give the path of a .safetensors file.")
    with open(path, "rb") as file:
        head = file.read(512)
        file.seek(0)
        if not head.strip(b"\0"):
            return Checkpoint(path, "empty", FETCH_AGAIN)
        head = head.ljust(512, b"\0")
        if head.startswith(b"PK\x03\x04"):
            return _archive(path)
        if head[8:9] == b"{":
            return _safetensors(path, file)
        text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        for beginning, what, mend in BEGINNINGS:
            if text.startswith(beginning):
                return Checkpoint(path, what, mend)
        if head[257:262] == b"ustar":
            return Checkpoint(path, "a tar archive", "unpack it and give the file of weights in it")
        if head[4:8] == b"TFL3":
            return Checkpoint(path, "a TensorFlow Lite network", TAKE_OURS)
        if (
            head[0] == 0x08 and 1 <= head[1] <= 30 and head[2] in b"\x12\x1a\x22\x2a\x3a\x42"
        ):  # its version, a field
            return Checkpoint(path, "an ONNX network", TAKE_OURS)
        if head[0] in b"\x80(c]}":  # how pickles begin
            return _pickled(path, file)
    return Checkpoint(path, "of no kind that choros knows", TAKE_OURS)


def _safetensors(path: Path, file: BinaryIO) -> Checkpoint:
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES:
        return Checkpoint(path, "no safetensors file, though it begins like one", TAKE_OURS)
    try:
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        system = str(metadata.get("system", "")) or None
        shapes = {str(name): tuple(map(int, told["shape"])) for name, told in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Checkpoint(path, "a safetensors file that is damaged or cut short", FETCH_AGAIN)
    if system is None:
        converted = ", converted by choros" if CONVERTED in metadata else ""
        found = _told(path, shapes, "a safetensors file")
        return replace(found, what=found.what + converted)
    if system.endswith("-checkpoint"):
        made_for = system.removesuffix("-checkpoint")
        what = f"the checkpoint of a training run of {made_for}, which choros train goes on from"
        return Checkpoint(path, what, "give the weights that the run wrote", system, True, shapes)
    return Checkpoint(path, f"choros's weights for {system}", "give the right file", system, True, shapes)


def _archive(path: Path) -> Checkpoint:
    """A zip archive: PyTorch's, TorchScript's, NumPy's or another."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if any(name.endswith("/constants.pkl") for name in entries):
                return Checkpoint(
                    path, "TorchScript, a program with its weights, which choros never runs", TAKE_OURS
                )
            found = pickle_entry(entries)
            if found is not None:
                if found.file_size > MAX_NAMES_BYTES:
                    return Checkpoint(path, "a PyTorch file with too much in it to be looked into", TAKE_OURS)
                with archive.open(found) as file:
                    return _told(path, _shapes(load_shells(file, path)), "a PyTorch file")
            arrays = {name.removesuffix(".npy"): () for name in entries if name.endswith(".npy")}
            if arrays:
                return _told(path, arrays, "an npz of arrays")
            return Checkpoint(path, "a zip archive", "unpack it and give the file of weights in it")
    except ChorosError:
        return Checkpoint(path, "a PyTorch file that is damaged or cut short", FETCH_AGAIN)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError):
        return Checkpoint(
            path, "a PyTorch file or another zip archive that is damaged or cut short", FETCH_AGAIN
        )


def pickle_entry(entries: Mapping[str, zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """The entry of PyTorch's archive that says what the file holds; None if the archive is somebody else's."""
    return next((entry for name, entry in entries.items() if f"/{name}".endswith("/data.pkl")), None)


def _pickled(path: Path, file: BinaryIO) -> Checkpoint:
    """A pickle, or what torch.save wrote before 1.6: a magic number, a version, a machine, then the content."""
    torch = file.read(len(TORCH_MAGIC)) == TORCH_MAGIC
    file.seek(0)
    if not torch and path.stat().st_size > MAX_PICKLE_BYTES:
        return Checkpoint(path, "a pickle too large to be looked into", TAKE_OURS)
    container = "a PyTorch file" if torch else "a pickle"
    try:
        for _ in range(3 if torch else 0):
            load_shells(file, path)
        return _told(path, _shapes(load_shells(file, path)), container)
    except ChorosError:
        return Checkpoint(path, f"{container} that is damaged, cut short or of an unknown form", TAKE_OURS)


def _shapes(content: object) -> dict[str, Shape]:
    return {name: tensor.shape for name, tensor in tensors_in(content)}


def _told(path: Path, shapes: Mapping[str, Shape], container: str) -> Checkpoint:
    """The kind that names tell; where none does, what there is."""
    names = "".join(f".{name}\n" for name in shapes)
    for kind in KINDS:
        if any(all(f".{part}" in names for part in sign.split()) for sign in kind.signs):
            return Checkpoint(path, kind.what, kind.mend, kind.system, False, shapes, kind.terms)
    if not shapes:
        return Checkpoint(path, f"{container} without weights in it", TAKE_OURS)
    first = next(iter(shapes))
    what = f'{container} with {len(shapes)} arrays of no network that choros knows (the first "{first}")'
    return Checkpoint(path, what, TAKE_OURS, None, False, shapes)
