"""What helps where a search or an imported checkpoint is refused."""

LABEL_ORDER = "write the order of the training into both"
"""For a checkpoint whose two tables of labels contradict each other."""

NOTHING_LEARNED = (
    "hint: raise train.epochs in the recipe or vary other settings in its section `search`, and search again"
)
"""For a search whose best trial scores 0."""
