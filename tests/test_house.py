"""The layout: a room imports rooms of its own floor and below, none in a circle; wings stay apart, files and functions
are small, and choros opens quickly."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import choros
from choros import registered
from choros.systems import entries

SOURCE = Path(choros.__file__).parent

#: A room's name is one of these, the longest that fits.
FLOORS = {
    "_version": 1, "camera": 1, "checkpoints": 1, "clip_identity": 1, "compiled": 1, "crops": 1, "devices": 1,
    "errors": 1, "journal": 1, "keypoints": 1, "motion": 1, "npz": 1, "onnx_session": 1, "options": 1, "outputs": 1,
    "ray_cluster": 1, "registered": 1, "reopening": 1, "restricted_pickle": 1, "rotation": 1, "rotation_log": 1,
    "run_identity": 1, "sandbox_child": 1, "seeding": 1, "skeleton": 1, "threads": 1, "video": 1, "weights": 1,
    "backbones": 2, "body": 2, "layers": 2, "mesh": 2,
    "camera_motion": 3, "datasets": 3, "detection": 3, "editing": 3, "evaluation.metrics": 3, "exporters": 3,
    "fusing": 3, "scenes": 3, "tracking": 3, "view": 3,
    "lifter": 4, "comotion": 4, "fourdhumans": 4, "glamr": 4, "trace": 4,
    "evaluation.bodies": 4, "evaluation.compare": 4, "evaluation.world_errors": 4,
    "encoders": 5, "live": 5, "retrack": 5, "systems": 5, "track_video": 5, "training": 5,
    "batch": 6, "evaluation": 6,
    "cli": 7, "__main__": 7,
}  # fmt: skip

#: What systems and what they are made of live in.
WINGS = tuple(room for room, floor in FLOORS.items() if floor == 4 and "." not in room)

#: Names that files of weights and the networks to train have, which are other things of the same name.
NAMES_OF_FILES = ("systems.py", "weights.py", "checkpoints/", "cli/grammar.py", "cli/train.py", "training/")

#: What no other way is there to: a library's reports to its maker (`choros`), threads after a fork (`choros.threads`).
EXCEPTIONS = {("__init__.py", "environ"), ("threads.py", "set_num_threads")}


#: Where names of modules are written as strings, to be imported when they are first needed: the tables of the package
#: and its rooms, and registries. Nowhere else is a module of choros imported by a string.
BY_NAME = {
    "__init__.py",
    "body/__init__.py",
    "cli/commands.py",
    "exporters/formats.py",
    "registered.py",
    "systems.py",
}

#: Of whom other packages than choros are asked, by a name that is not written there.
IMPORT_OTHERS = {"motion/data_frame.py"}
IMPORTERS = {"import_module", "__import__"}

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 60
KERNELS = {"compiled", "inner"}  # decorators of loops that numba compiles, which may be as long as they need


def room_of(module):
    """Room of ``choros.a.b``: the longest name in the table which it begins with; None if there is none."""
    parts = module.split(".")[1:]
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOORS), None)


def floor_of(module):
    return FLOORS.get(room_of(module))


@cache
def sources():
    """Every file of choros, by its path in the package, and its syntax."""
    paths = sorted(SOURCE.rglob("*.py"))
    return [(path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text())) for path in paths]


def imports():
    """Who imports whom, at the top, for type checkers and inside functions alike."""
    for file, tree in sources():
        module = ".".join(("choros", *Path(file).with_suffix("").parts)).removesuffix(".__init__")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                if (node.module or "").startswith("choros."):
                    yield module, node.module
                elif node.module == "choros":
                    yield from ((module, home(name.name)) for name in node.names)
            elif isinstance(node, ast.Import):
                yield from ((module, name.name) for name in node.names if name.name.startswith("choros."))


def home(name):
    """Where ``from choros import name`` gets it from."""
    return choros._HOME.get(name, f"choros.{name}")


def circles(edges):
    """One circle among pairs of user and used, as a list of names; empty if there is none."""
    users = {}
    for user, used in edges:
        users.setdefault(user, set()).add(used)
    try:
        TopologicalSorter(users).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_room_has_a_floor():
    rooms = {p.stem for p in SOURCE.glob("*.py")} | {
        p.name for p in SOURCE.iterdir() if (p / "__init__.py").is_file()
    }
    rooms -= {"__init__"}
    assert {room for room in rooms if floor_of(f"choros.{room}") is None} == set()


def test_no_room_knows_a_room_above_it():
    upward = [
        (user, used) for user, used in imports() if user != "choros" and floor_of(user) < floor_of(used)
    ]
    assert upward == []


def test_no_rooms_of_one_floor_know_each_other_in_a_circle():
    rooms = {(room_of(user), room_of(used)) for user, used in imports() if user != "choros"}
    assert circles((a, b) for a, b in rooms if a != b and FLOORS[a] == FLOORS[b]) == []


def test_circles_are_found():
    assert circles([("a", "b"), ("b", "c"), ("a", "c")]) == []
    assert set(circles([("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")])) == {"a", "b", "c"}


def test_only_tables_import_choros_by_a_string():
    found = []
    for file, tree in sources():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in IMPORTERS):
                continue
            name = node.args[0] if node.args else None
            others = isinstance(name, ast.Constant) and str(name.value).split(".")[0] != "choros"
            if not others and file not in BY_NAME | IMPORT_OTHERS:
                found.append((file, node.lineno))
    assert found == []


def test_registered_functions_are_where_they_are_said_to_be():
    for name in registered._PLACES:
        assert callable(registered.registered(name))


def too_long():
    """Files and functions of more lines than they may have, by name."""
    for file, tree in sources():
        if len((SOURCE / file).read_text().splitlines()) > LINES_OF_A_FILE:
            yield file
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                long = node.end_lineno - node.lineno + 1 > LINES_OF_A_FUNCTION
                if long and not KERNELS & {ast.unparse(each) for each in node.decorator_list}:
                    yield f"{file}:{node.name}"


def test_files_and_functions_are_small():
    assert set(too_long()) == set()


def test_wings_never_import_each_other():
    crossing = [
        (user, used)
        for user, used in imports()
        for wing in WINGS
        if user.startswith(f"choros.{wing}") and floor_of(used) == 4 and not used.startswith(f"choros.{wing}")
    ]
    assert crossing == []


def test_systems_are_named_by_the_registry_alone():
    names = {name for entry in entries() for name in (entry.name, *entry.aliases)}
    found = []
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        if not place.startswith((*NAMES_OF_FILES, *(f"{wing}/" for wing in WINGS))):
            constants = (
                node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
            )
            found += [(place, node.lineno, node.value) for node in constants if node.value in names]
    assert found == []


def test_nothing_below_the_command_line_prints_or_reads_the_environment():
    found = []
    for file, tree in sources():
        if file.startswith("cli/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append((file, node.lineno, "print"))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "set_num_threads"):
                found.append((file, node.lineno, node.attr))
    found = [(file, line, what) for file, line, what in found if (file, what) not in EXCEPTIONS]
    assert found == []


def test_choros_is_imported_before_onnxruntime():
    """Else onnxruntime reports to its maker; in the package itself, and for tests, choros always is."""
    late = []
    for folder in ("tools", "benchmarks", "examples"):
        for path in sorted((Path(__file__).parents[1] / folder).glob("*.py")):
            names = [
                name
                for node in ast.parse(path.read_text()).body
                for name in (
                    [node.module or ""] if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                )
            ]  # fmt: skip
            first = {name.split(".")[0]: at for at, name in reversed(list(enumerate(names)))}
            if "onnxruntime" in first and first["onnxruntime"] < first.get("choros", len(names)):
                late.append(path.name)
    assert late == []


def test_importing_choros_loads_neither_torch_nor_numpy():
    code = "import sys, choros; print([m for m in ('torch', 'numpy', 'cv2', 'av') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
