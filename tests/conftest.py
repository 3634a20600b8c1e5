"""Property tests draw the same cases every time and are not judged by the clock."""

from hypothesis import settings

settings.register_profile("choros", deadline=None, derandomize=True)
settings.load_profile("choros")
