"""How the camera moved, told from what stands still behind the people."""
