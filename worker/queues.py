"""The two queues by name, apart from Celery, so that a command can name them without waking it."""

SCORE = "score"
TRAIN = "train"
