"""What can end an evaluation."""

from pytensor.graph.basic import Apply

__all__ = ["OperationFailed", "OutOfTime", "first_line"]


class OutOfTime(Exception):
    """The deadline passed during the evaluation."""


class OperationFailed(Exception):
    """An Op raised instead of returning a value."""

    def __init__(self, node: Apply, error: Exception):
        super().__init__(f"{type(node.op).__name__}: {error}")
        self.node = node
        self.error = error


def first_line(error: Exception) -> str:
    """First line of what an error says, its name if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
