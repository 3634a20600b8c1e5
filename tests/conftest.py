"""Property tests draw the same cases every time and are not judged by the clock."""

from hypothesis import settings

import choros  # noqa: F401  before a test imports onnxruntime, which is to send nothing

settings.register_profile("choros", deadline=None, derandomize=True)
settings.load_profile("choros")
