"""A checkpoint written once and for all as safetensors: mapped when it is loaded, with nothing to unpickle.

Names stay those of its authors, so that whatever loads the original loads this. The metadata keep what it was made of,
in which numbers, and the small files that its loader reads beside the original (`COMPANIONS`). Of what a trainer keeps,
the network alone goes along.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choros._version import __version__
from choros.checkpoints.kinds import CONVERTED, FETCH_AGAIN, Checkpoint, what_is
from choros.checkpoints.reading import read_state_dict
from choros.errors import ChorosError
from choros.outputs import atomic_path
from choros.run_identity import Identity, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

#: What lies beside the authors' checkpoints and is read with them, from the folder of each, by whose they are.
COMPANIONS = {
    "hmr2": ("model_config.yaml", "../model_config.yaml"),
    "phalp": ("{stem}.yaml", "config.yaml", "mean_std.npy", "../3D/mean_std.npy"),
}
FILES = "files"  # the entry of the metadata that holds them
MAX_COMPANION_BYTES = 1 << 20


def convert(
    parts: Path | Mapping[str, Path], output: str | Path, dtype: str | None = None
) -> Mapping[str, Checkpoint]:
    """Write a checkpoint, or several ``parts`` under a name each, as one safetensors file; what each was.

    ``dtype`` is in what matrices are kept, None as they are; vectors, constants and whole numbers always stay as they
    are. Raises ``ChorosError`` for a file that is damaged, that no reader here knows, or that choros wrote.
    """
    import torch
    from safetensors.torch import save_file

    output = Path(output)
    if output.suffix != ".safetensors":
        raise ChorosError(f"{output} is no name for what is written here; let it end in .safetensors.")
    several = not isinstance(parts, Path)
    named: Mapping[str, Path] = parts if not isinstance(parts, Path) else {"": parts}
    found = {name: _checked(path) for name, path in named.items()}
    lower = None if dtype is None else getattr(torch, dtype)
    tensors: dict[str, Tensor] = {}
    for name, path in named.items():
        for inner, tensor in read_state_dict(path).items():
            tensors[f"{name}.{inner}" if several else inner] = _kept(tensor, lower)
    about = {
        "by": f"choros {__version__}",
        "dtype": dtype,
        "parts": {name: _told(found[name]) for name in named},
    }
    files: dict[str, str] = {}
    for name, path in named.items():
        files |= _companions(path, found[name].system)
    with atomic_path(output) as path:
        save_file(_apart(tensors), path, {CONVERTED: json.dumps(about), FILES: json.dumps(files)})
    return found


def conversion_of(path: str | Path) -> dict[str, Any] | None:
    """What a file tells of its conversion: by whom, in which ``dtype``, of which ``parts``; None of any other file."""
    told = _metadata(Path(path)).get(CONVERTED)
    about = _object(told)
    parts = {name: part for name, part in _object(about.get("parts")).items() if isinstance(part, dict)}
    return None if told is None else about | {"parts": parts}


def companion(checkpoint: str | Path, *names: str) -> bytes | None:
    """A file that is read with a checkpoint, the first of ``names`` that is there: kept in it, or lying near it.

    Names are from the checkpoint's folder; ``{stem}`` in one is the checkpoint's without its ending.
    """
    checkpoint = Path(checkpoint)
    kept = _object(_metadata(checkpoint).get(FILES, "{}"))
    for name in names:
        if isinstance(text := kept.get(Path(name).name), str):
            try:
                return base64.b64decode(text, validate=True)
            except ValueError as error:
                raise ChorosError(
                    f"{checkpoint} keeps a damaged {Path(name).name}; convert it again."
                ) from error
    near = (checkpoint.parent / name.format(stem=checkpoint.stem) for name in names)
    found = next((path for path in near if path.is_file()), None)
    return None if found is None else found.read_bytes()


def fingerprint(path: str | Path, part: str = "") -> Identity:
    """By what a checkpoint's numbers are known: the SHA-256 of the authors' file, also where that was converted.

    Of a file that was converted to other numbers these are told, too.
    """
    about = conversion_of(path)
    if about is None:
        return {"sha256": sha256_of(path)}
    told = about["parts"].get(part, {})
    if "sha256" not in told:
        return {"sha256": sha256_of(path)}
    return {"sha256": told["sha256"]} | ({"numbers": about["dtype"]} if about.get("dtype") else {})


def _checked(path: Path) -> Checkpoint:
    """What it is. Raises ``ChorosError`` unless there is a loader for it, and where bytes of it are not as written."""
    found = what_is(path)
    if found.loads:
        raise ChorosError(f"{path} is {found.what}, in safetensors already; there is nothing to convert.")
    if found.system is None:
        raise ChorosError(f"{path} is {found.what}, and no network to convert; {found.mend}.")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            try:
                damaged = archive.testzip()
            except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError):
                damaged = "a part"
        if damaged is not None:
            raise ChorosError(f"{path} is {found.what}, but damaged in {damaged}; {FETCH_AGAIN}.")
    return found


def _told(found: Checkpoint) -> dict[str, Any]:
    """Of a file that is converted; one that was before stays known by its authors' file."""
    return {"file": found.path.name, "what": found.what, **fingerprint(found.path)}


def _kept(tensor: Tensor, lower: Any) -> Tensor:
    matrix = tensor.is_floating_point() and tensor.ndim > 1 and tensor.shape[0] > 1
    return tensor.to(lower) if matrix and lower is not None else tensor


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each in memory of its own and in order, as the file wants them."""
    taken: set[int] = set()
    made = {}
    for name, tensor in tensors.items():
        tensor = tensor.contiguous()
        if tensor.untyped_storage().data_ptr() in taken or tensor.storage_offset():
            tensor = tensor.clone()
        taken.add(tensor.untyped_storage().data_ptr())
        made[name] = tensor
    return made


def _companions(path: Path, system: str | None) -> dict[str, str]:
    kept = {}
    for name in COMPANIONS.get(system or "", ()):
        content = companion(path, name)
        plain = Path(name).name
        if content is not None and plain not in kept and len(content) <= MAX_COMPANION_BYTES:
            kept[plain] = base64.b64encode(content).decode()
    return kept


def _metadata(path: Path) -> dict[str, str]:
    """Of a safetensors file; nothing of another."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return {}
    with open(path, "rb") as file:
        if file.read(9)[8:] != b"{":
            return {}
    try:
        with safe_open(path, framework="numpy") as stored:
            return dict(stored.metadata() or {})
    except (SafetensorError, OSError, ValueError):
        return {}


def _object(value: Any) -> dict[str, Any]:
    """A JSON object, or nothing where somebody wrote something else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
