"""What people look at: the software rasteriser and the overlay of bodies on the video."""
