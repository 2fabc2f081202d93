"""What can end an evaluation."""

from pytensor.graph.basic import Apply

__all__ = ["OperationFailed", "OutOfTime"]


class OutOfTime(Exception):
    """The deadline passed during the evaluation."""


class OperationFailed(Exception):
    """An Op raised instead of returning a value."""

    def __init__(self, node: Apply, error: Exception):
        super().__init__(f"{type(node.op).__name__}: {error}")
        self.node = node
        self.error = error
