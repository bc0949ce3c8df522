"""What stands in the way of a start."""


class Obstacle(Exception):
    """Headgate cannot do what was asked; the text is the one sentence to show, without a traceback."""
