"""Ways in which a run of a test ends before its end."""


def stop_after(count):
    """Says that it is time to stop as it is asked for the ``count``-th time."""
    asked = []
    return lambda: asked.append(1) or len(asked) >= count


def killed_at(step):
    """A report that is interrupted as it is told of ``step``, as by a process that is killed there."""

    def report(record):
        if record["step"] == step:
            raise KeyboardInterrupt

    return report
