"""The library's errors. Every message is one sentence that says what is wrong and what to do.

- SpecrecError: catch this to answer a user
  - TableError: a file of interactions, tracks or users cannot be read
  - CheckpointError: a model version is missing, damaged, foreign or too new
  - TrainingError: a training run cannot start or had to stop
"""


class SpecrecError(Exception):
    """Root of the tree."""


class TableError(SpecrecError):
    """A table cannot be read: names the file and, where known, the line and column, and what was expected."""


class CheckpointError(SpecrecError):
    """A model version was refused."""


class TrainingError(SpecrecError):
    """A training run has nothing to learn from, or its numbers stopped being numbers."""
