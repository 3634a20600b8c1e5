"""Who is in a scene: bodies of any shape, and their clothes, shoes, hair and hats."""
