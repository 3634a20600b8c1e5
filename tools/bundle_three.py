"""Bundles the parts of three.js that the viewer's page uses into src/choros/view/data/three.min.js, with their licence.

three.js is taken from npm at the version below and packed by esbuild, which leaves out what is not used; both need
npm and a network. Run it from anywhere after changing ``NAMES`` or the version:

    python tools/bundle_three.py
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

THREE, ESBUILD = "three@0.187.0", "esbuild@0.25.10"
#: What src/choros/view/data/page.js takes from three.js.
NAMES = (
    "AnimationMixer", "Box3", "BufferAttribute", "BufferGeometry", "Color", "DirectionalLight", "DoubleSide",
    "Group", "HemisphereLight", "LineBasicMaterial", "LineSegments", "LoopOnce", "Matrix4", "Mesh",
    "PCFShadowMap", "PerspectiveCamera", "PlaneGeometry", "Scene", "ShaderMaterial", "ShadowMaterial",
    "Vector3", "WebGLRenderer",
)  # fmt: skip
ENTRY = f"""
export {{ {", ".join(NAMES)} }} from "three";
export {{ GLTFLoader }} from "three/addons/loaders/GLTFLoader.js";
export {{ OrbitControls }} from "three/addons/controls/OrbitControls.js";
"""
BUNDLE = Path(__file__).parents[1] / "src" / "choros" / "view" / "data" / "three.min.js"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, THREE, ESBUILD]
        subprocess.run(install, check=True)
        entry = Path(folder) / "entry.js"
        entry.write_text(ENTRY)
        options = ["--bundle", "--minify", "--format=iife", "--global-name=THREE", "--legal-comments=inline"]
        BUNDLE.parent.mkdir(exist_ok=True)
        esbuild = Path(folder) / "node_modules" / ".bin" / "esbuild"
        subprocess.run([esbuild, entry, *options, f"--outfile={BUNDLE}"], check=True)
        shutil.copy(
            Path(folder) / "node_modules" / "three" / "LICENSE", BUNDLE.with_name("LICENSE-three.txt")
        )
    print(f"{BUNDLE}: {BUNDLE.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
