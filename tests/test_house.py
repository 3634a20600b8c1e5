"""The layout: a room imports rooms of its own floor and below, wings stay apart, and choros opens quickly."""

import ast
import subprocess
import sys
from pathlib import Path

import choros
from choros.systems import entries

SOURCE = Path(choros.__file__).parent

FLOORS = {
    "_version": 1, "errors": 1, "camera": 1,
    "checkpoints": 1, "clip_identity": 1, "compiled": 1, "devices": 1, "motion": 1, "journal": 1, "keypoints": 1,
    "options": 1, "outputs": 1, "reopening": 1, "resampling": 1, "restricted_pickle": 1,
    "run_identity": 1, "settling": 1, "threads": 1, "video": 1, "weights": 1,
    "body": 2, "layers": 2,
    "camera_motion": 3, "datasets": 3, "detection": 3, "evaluation.metrics": 3, "exporters": 3, "scenes": 3,
    "tracking": 3, "view": 3,
    "lifter": 4, "comotion": 4, "glamr": 4,
    "evaluation.bodies": 4, "evaluation.compare": 4, "evaluation.world_errors": 4,
    "live": 5, "systems": 5, "track_video": 5, "training": 5,
    "evaluation": 6,
    "cli": 7, "__main__": 7,
}  # fmt: skip

#: What systems and what they are made of live in.
WINGS = tuple(room for room, floor in FLOORS.items() if floor == 4 and "." not in room)

#: Names that files of weights and the networks to train have, which are other things of the same name.
NAMES_OF_FILES = ("systems.py", "weights.py", "checkpoints.py", "cli/train.py", "training/")

#: What no other way is there to: a library's reports to its maker (`choros`), threads after a fork (`choros.threads`).
EXCEPTIONS = {("__init__.py", "environ"), ("threads.py", "set_num_threads")}


def floor_of(module):
    """Floor of ``choros.a.b``: that of the longest name in the table which it begins with."""
    parts = module.split(".")[1:]
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in FLOORS:
            return FLOORS[".".join(parts[:length])]
    return None


def imports():
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(("choros", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("choros."):
                yield module, node.module
            elif isinstance(node, ast.Import):
                yield from ((module, name.name) for name in node.names if name.name.startswith("choros."))


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
    for path in SOURCE.rglob("*.py"):
        if path.is_relative_to(SOURCE / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append((path.name, node.lineno, "print"))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "set_num_threads"):
                found.append((str(path.relative_to(SOURCE)), node.lineno, node.attr))
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
