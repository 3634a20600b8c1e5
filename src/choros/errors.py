"""The one error that choros raises for anything a user can mend.

Its message is one sentence that names what is wrong, where (file, frame, person) and what to do.
The command line prints it and exits with 2; anything else that reaches the user is a bug of ours.
"""


class ChorosError(Exception):
    """Input, file or setting that cannot be used, with the mend in its message."""


class NotNumbers(ChorosError):
    """A network answered with what is no finite number; of one frame of a video, that frame is given up alone."""


class Nobody(ChorosError):
    """A motion without people, of which there is nothing to make: a result too, with which commands exit with 0."""
