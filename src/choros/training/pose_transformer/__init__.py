"""The training of 4DHumans' pose transformer."""
