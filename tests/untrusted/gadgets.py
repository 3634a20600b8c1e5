"""Pickles that run something where they are read without care: the ways that are known, each of which leaves a trace.

Every one is a function of the path of the trace, and gives the pickle. `test_pickles` shows of each that Python's own
reader is taken in by it.
"""

import io
import marshal
import struct

import numpy as np
import torch


class Called:
    """An object whose pickle calls ``what`` (a module and a name) with ``arguments``."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


def text(value):
    """A string as an opcode of protocol 1 and later."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def argument(value):
    if isinstance(value, Called):
        return call(value)
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, str):
        return text(value)
    if value is True or value is None:
        return b"N" if value is None else b"\x88"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"(" + b"".join(map(argument, value)) + b"l"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(argument, value)) + b"t"
    if isinstance(value, dict):
        return b"(" + b"".join(argument(part) for pair in value.items() for part in pair) + b"d"
    raise TypeError(value)


def call(called):
    """GLOBAL, the arguments, REDUCE."""
    return f"c{called.module}\n{called.name}\n".encode() + argument(tuple(called.arguments)) + b"R"


def reduced(module, name, *arguments):
    return b"\x80\x04" + call(Called(module, name, *arguments)) + b"."


def stacked(module, name, *arguments):
    """The same by STACK_GLOBAL, whose name may have dots."""
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + argument(tuple(arguments)) + b"R."


def made(module, name, *arguments):
    """By NEWOBJ: a class, made."""
    return b"\x80\x04" + f"c{module}\n{name}\n".encode() + argument(tuple(arguments)) + b"\x81."


def inst(module, name, *arguments):
    """By INST, of protocol 0."""
    return b"(" + b"".join(map(argument, arguments)) + f"i{module}\n{name}\n.".encode()


def obj(module, name, *arguments):
    """By OBJ, of protocol 1."""
    return b"(" + f"c{module}\n{name}\n".encode() + b"".join(map(argument, arguments)) + b"o."


def inner(trace):
    return reduced("builtins", "exec", code(trace))


def built(trace):
    """By BUILD: the state that an object is given; the reader calls what it is made of before."""
    state = argument({"left": Called("builtins", "exec", code(trace))})
    return b"\x80\x04" + call(Called("argparse", "Namespace")) + state + b"b."


def code(trace):
    return f"open({trace!r}, 'w').close()"


def kept(trace, content):
    """A file beside the trace, for readers that are given a path."""
    path = f"{trace}.kept"
    with open(path, "wb") as file:
        file.write(content)
    return path


def array_of_objects(trace):
    class Evil:
        def __reduce__(self):
            return exec, (code(trace),)

    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], object), allow_pickle=True)
    return buffer.getvalue()


def torch_bytes(trace):
    """What torch.load reads without care."""

    class Evil:
        def __reduce__(self):
            return exec, (code(trace),)

    buffer = io.BytesIO()
    torch.save({"a": Evil()}, buffer)
    return buffer.getvalue()


def marshalled(trace):
    return marshal.dumps(compile(code(trace), "made", "exec"))


def called(callable_, *arguments):
    """REDUCE of what is not a name: ``callable_`` is a `Called` that gives a function."""
    return b"\x80\x04" + call(callable_) + argument(tuple(arguments)) + b"R."


def module(name):
    return Called("importlib", "import_module", name)


#: By what is called, and how.
GADGETS = {
    "os.system": lambda t: reduced("os", "system", f"touch {t}"),
    "posix.system": lambda t: reduced("posix", "system", f"touch {t}"),
    "os.popen": lambda t: called(Called("builtins", "getattr", Called("os", "popen", f"touch {t}"), "read")),
    "os.open": lambda t: reduced("os", "open", t, 0o102),
    "os.mkdir": lambda t: reduced("os", "mkdir", t),
    "os.rename": lambda t: reduced("os", "rename", kept(t, b""), t),
    "os.spawnlp": lambda t: reduced("os", "spawnlp", 0, "touch", "touch", t),
    "subprocess.call": lambda t: reduced("subprocess", "call", ["touch", t]),
    "subprocess.run": lambda t: reduced("subprocess", "run", ["touch", t]),
    "subprocess.check_output": lambda t: reduced("subprocess", "check_output", ["touch", t]),
    "subprocess.getoutput": lambda t: reduced("subprocess", "getoutput", f"touch {t}"),
    "subprocess.Popen, INST": lambda t: inst("subprocess", "Popen", ["touch", t]),
    "builtins.eval": lambda t: reduced("builtins", "eval", code(t)),
    "builtins.exec": lambda t: reduced("builtins", "exec", code(t)),
    "builtins.exec, STACK_GLOBAL": lambda t: stacked("builtins", "exec", code(t)),
    "builtins.exec, INST": lambda t: inst("builtins", "exec", code(t)),
    "builtins.exec, OBJ": lambda t: obj("builtins", "exec", code(t)),
    "builtins.exec, BUILD": built,
    "__builtin__.eval": lambda t: b"\x80\x02" + call(Called("__builtin__", "eval", code(t))) + b".",
    "builtins.open": lambda t: reduced("builtins", "open", t, "w"),
    "a name with dots": lambda t: stacked("numpy", "f2py.os.system", f"touch {t}"),
    "builtins.getattr": lambda t: called(Called("builtins", "getattr", module("os"), "system"), f"touch {t}"),
    "builtins.map": lambda t: reduced(
        "builtins", "list",
        Called("builtins", "map", Called("builtins", "getattr", module("builtins"), "exec"), [code(t)]),
    ),
    "functools.partial": lambda t: called(
        Called("functools", "partial", Called("builtins", "getattr", module("os"), "system"), f"touch {t}")
    ),
    "operator.methodcaller": lambda t: called(
        Called("operator", "methodcaller", "system", f"touch {t}"), module("os")
    ),
    "pickle.loads": lambda t: reduced("pickle", "loads", inner(t)),
    "_pickle.loads": lambda t: reduced("_pickle", "loads", inner(t)),
    "numpy.load": lambda t: reduced("numpy", "load", kept(t, array_of_objects(t)), None, True),
    "numpy.save": lambda t: reduced("numpy", "save", Called("io", "open", t, "wb"), [1, 2]),
    "numpy.memmap, NEWOBJ": lambda t: made("numpy", "memmap", t, "uint8", "w+", 0, (4,)),
    "numpy.ndarray.tofile": lambda t: stacked("numpy", "ndarray.tofile", Called("numpy", "zeros", 3), t),
    "runpy.run_path": lambda t: reduced("runpy", "run_path", kept(t, code(t).encode())),
    "runpy._run_code": lambda t: reduced("runpy", "_run_code", code(t), {}),
    "timeit.timeit": lambda t: reduced("timeit", "timeit", "pass", code(t)),
    "code.InteractiveInterpreter": lambda t: stacked(
        "code", "InteractiveInterpreter.runcode", Called("code", "InteractiveInterpreter"), code(t)
    ),
    "bdb.Bdb.run": lambda t: stacked("bdb", "Bdb.run", Called("bdb", "Bdb"), code(t)),
    "trace.Trace.run": lambda t: stacked("trace", "Trace.run", Called("trace", "Trace", 0, 0), code(t)),
    "shutil.copyfile": lambda t: reduced("shutil", "copyfile", kept(t, b""), t),
    "pathlib.Path.touch": lambda t: stacked("pathlib", "Path.touch", Called("pathlib", "Path", t)),
    "logging.FileHandler": lambda t: reduced("logging", "FileHandler", t, "w"),
    "sqlite3.connect": lambda t: reduced("sqlite3", "connect", t),
    "zipfile.ZipFile": lambda t: reduced("zipfile", "ZipFile", t, "w"),
    "tempfile.mkdtemp": lambda t: reduced("tempfile", "mkdtemp", "", "trace", t.rpartition("/")[0]),
    "marshal.loads": lambda t: reduced("builtins", "exec", Called("marshal", "loads", marshalled(t))),
    "types.FunctionType": lambda t: called(
        Called("types", "FunctionType", Called("marshal", "loads", marshalled(t)), {
            "open": Called("builtins", "getattr", module("builtins"), "open"),
        })
    ),
    "torch.storage._load_from_bytes": lambda t: reduced("torch.storage", "_load_from_bytes", torch_bytes(t)),
}  # fmt: skip
