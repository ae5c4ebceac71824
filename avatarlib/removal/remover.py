"""What every remover is: something fitted to a reference that gives each read a score and says human where it is high.

A read is called human where its score is above the remover's threshold; a molecule where one of its reads is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatarlib.removal.reads import Batch


@dataclass(frozen=True)
class Calls:
    """Answers for a batch, in its order: `human` bool [molecules], `score` float64 [molecules], 0 to 1."""

    human: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Remover:
    """A fitted remover.

    Attributes
    ----------
    name
        As in `avatarlib.removal.REMOVERS`.
    tool, version
        What does the work.
    command
        How it was asked, for people to read; places of files are left out.
    meaning
        What the score is; "" where a tool only says yes or no.
    threshold
        Scores above it are human.
    longest
        Bases of the longest read it is made for.
    scores
        From a batch to float64 [molecules * mates]; depends on nothing but each read.
    """

    name: str
    tool: str
    version: str
    command: str
    meaning: str
    threshold: float
    longest: int
    scores: Callable[[Batch], np.ndarray]

    def classify(self, batch: Batch) -> Calls:
        """Return who is human; a molecule has the higher score of its reads."""
        score = self.scores(batch).reshape(-1, batch.mates).max(axis=1, initial=0.0)
        return Calls(score > self.threshold, score)
