"""The rooms of ``choros.scenes``: each imports rooms below it only, and compiled loops take few arguments."""

import ast
from pathlib import Path

import choros.scenes

SCENES = Path(choros.scenes.__file__).parent

#: From the ground up; what is not in a room (scene, stream) stands on top.
ROOMS = ("place", "camera", "motion", "people", "render", "truth")

MOST_ARGUMENTS = 10  # of a compiled loop: more than that belong together in a named tuple


def trees():
    for path in sorted(SCENES.rglob("*.py")):
        yield path.relative_to(SCENES), ast.parse(path.read_text())


def test_every_module_is_in_a_room():
    on_top = {"__init__.py", "scene.py", "stream.py"}
    assert {path.parts[0] for path, _ in trees()} == {*ROOMS, *on_top}


def test_rooms_import_only_rooms_below_them():
    upward = []
    for path, tree in trees():
        if path.parts[0] not in ROOMS:
            continue
        for (
            node
        ) in tree.body:  # what a function imports when it runs, or a type checker alone, is its own matter
            used = (getattr(node, "module", None) or "").split(".")
            if used[:2] != ["choros", "scenes"] or not isinstance(node, ast.ImportFrom):
                continue
            rank = ROOMS.index(used[2]) if len(used) > 2 and used[2] in ROOMS else len(ROOMS)
            if rank > ROOMS.index(path.parts[0]):
                upward.append((str(path), node.module))
    assert upward == []


def test_compiled_loops_take_few_arguments():
    many = {}
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(way, ast.Name) and way.id in ("compiled", "inner") for way in node.decorator_list
            ):
                many[f"{path}:{node.name}"] = len(node.args.args)
    assert len(many) > 10
    assert {name: count for name, count in many.items() if count > MOST_ARGUMENTS} == {}
