"""Motions as pictures: overlays on the video, the world from beside and above, pages, plots and a browser view."""
