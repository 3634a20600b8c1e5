"""HMR 2.0 (4DHumans, section 3): one person's body from a crop of them, by a transformer.

The answer is of the crop alone; where the person is before the camera of the whole picture is found afterwards, with
whatever K that has.
"""
