"""The two queues by name, apart from Celery, so that a command can name them without importing it."""

SCORE = "score"
TRAIN = "train"
