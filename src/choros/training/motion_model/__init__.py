"""The training of what moves people in synthetic scenes."""
