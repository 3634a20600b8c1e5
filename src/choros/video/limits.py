"""What is refused before memory is given to it: a few bytes of header can declare any picture size."""

MAX_SIDE_PX = 16384
MAX_PIXELS = 2**27  # a 16K video has 2**27; its RGB frame takes 400 MB
