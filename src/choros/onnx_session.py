"""Opening ONNX networks, ready to be run from several threads and after a fork."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnxruntime
from numpy.typing import NDArray

from choros.devices import AUTO, CPU, PROVIDERS, Device
from choros.errors import ChorosError

Tensors = Mapping[str, NDArray[Any]]

# Whoever imported onnxruntime before choros has its reports to its maker on (see `choros`); this ends what it can.
onnxruntime.disable_telemetry_events()


class Port(NamedTuple):
    """What goes into a network or comes out of it."""

    name: str
    shape: tuple[int | None, ...]  # None where it is free
    kind: str  # of its numbers, as onnxruntime says it: "float", "float16", "int64"

    def __str__(self) -> str:
        sides = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} ({sides}) {self.kind}"


class Network:
    """An onnxruntime session on ``path`` that computes with ``threads`` threads.

    ``weights`` are those that the file only names; the session has copies of them. May be run from several threads,
    and in a forked child, where it is opened anew at its first run: the threads of the parent's session stay behind.
    What is pickled is what it was made of. Raises `ChorosError` when the file cannot be loaded, or onnxruntime has no
    such ``device``.
    """

    def __init__(
        self, path: Path, threads: int, weights: Tensors | None = None, device: Device = CPU
    ) -> None:
        self._made_of = path, threads, weights, device
        self._session: onnxruntime.InferenceSession | None = _session(*self._made_of)
        self._opening = threading.Lock()
        self.inputs, self.outputs = _ports(self._session.get_inputs()), _ports(self._session.get_outputs())
        self.input = self.inputs[0].name
        _networks.add(self)

    @property
    def place(self) -> str:
        """The device that it came to: that which was asked for or, for ``auto``, what was there."""
        device = self._made_of[3]
        if self._session is None or self._session.get_providers()[0] == PROVIDERS["cpu"]:
            return "cpu"
        return "cuda:0" if device.name == AUTO else device.name

    def run(self, outputs: Sequence[str] | None, inputs: Tensors) -> list[NDArray[Any]]:
        """The ``outputs`` by name, or all of them for None, as onnxruntime gives them."""
        session = self._session
        if session is None:
            with self._opening:
                session = self._session = self._session or _session(*self._made_of)
        found: list[NDArray[Any]] = session.run(outputs, inputs)
        return found

    def leave_behind(self) -> None:
        """In a forked child: forget the parent's session, and never end it, which would be to wait for its threads."""
        if self._session is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
        self._session, self._opening = None, threading.Lock()

    def __reduce__(self) -> tuple[type[Network], tuple[Path, int, Tensors | None, Device]]:
        return Network, self._made_of


_networks: weakref.WeakSet[Network] = weakref.WeakSet()


def _forked() -> None:
    for network in _networks:
        network.leave_behind()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _ports(told: Sequence[Any]) -> tuple[Port, ...]:
    return tuple(
        Port(
            str(one.name),
            tuple(side if isinstance(side, int) else None for side in one.shape),
            str(one.type).removeprefix("tensor(").removesuffix(")"),
        )
        for one in told
    )


def _session(
    path: Path, threads: int, weights: Tensors | None, device: Device
) -> onnxruntime.InferenceSession:
    """A session whose threads sleep while they wait.

    If they span, they would take the cores away from the other networks of the process (half the frames per second,
    measured).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in weights.values()]
        options.add_external_initializers(list(weights), values)
    providers = device.providers()
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:
        raise ChorosError(
            f"The network {path} cannot be loaded ({type(error).__name__}); reinstall choros or name another."
        ) from error
    if device.name != AUTO and session.get_providers()[0] != PROVIDERS[device.kind]:
        raise device.refusal()  # a driver is missing, and onnxruntime went back to the CPU by itself
    return session
