"""What people do, told by their poses and places over time and those of their neighbours (LART)."""
