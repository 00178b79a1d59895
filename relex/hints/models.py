"""Hints after a refused checkpoint, or a study without a useful trial."""

LABEL_ORDER = "write the order of the training into both"
"""For a checkpoint whose two tables of labels contradict each other."""

ZERO_SCORE_HINT = "hint: raise train.epochs in the recipe or widen its search space, and tune again"
"""For a study whose best trial scores 0."""
