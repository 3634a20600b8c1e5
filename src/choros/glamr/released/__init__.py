"""GLAMR's networks as their authors released them: names and shapes of their files, our own code."""
