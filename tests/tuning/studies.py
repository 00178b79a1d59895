"""Recipes with a search space, and a trainer whose scores depend only on the settings."""

import psycopg
from sqlalchemy import make_url

RECIPE = """
backbone:
  scratch: {vocabulary: 1000, hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32}
input: {max_length: 32}
train: {epochs: 3, batch_size: 32, learning_rate: 1.0e-2, precision: fp32}
data: {train: data/train_data.csv, valid: data/valid_data.csv}
tuning:
"""


GRID = RECIPE + "  {method: grid, space: {loss: {gamma: [0.5, 1.0, 2.0]}, dropout: [0.1, 0.2]}}\n"


RATES = RECIPE + "  {space: {train: {learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}}}}\n"


class Trainer:
    """A trainer that gives every epoch the score that `score` computes from the recipe; `score` may raise."""

    def __init__(self, score=lambda config: 50 + config.loss.gamma + config.dropout):
        self.score = score
        self.trained = []

    def train(self, config, train, valid, folder, report, scratch):
        self.trained.append(config)
        history = []
        for epoch in range(1, config.train.epochs + 1):
            history.append({"epoch": epoch, "micro_f1": self.score(config)})
            report({"history": list(history)})

    def __call__(self):
        return self


class Listener:
    """A listener that records what it receives."""

    def __init__(self):
        self.num_earlier, self.results, self.waited = None, [], False

    def trial_started(self, number, changes):
        pass

    def study_opened(self, study, results):
        self.num_earlier = len(results)

    def trial_ended(self, result, best):
        self.results.append((result, best))

    def waiting(self):
        self.waited = True


def execute(url, statement):
    libpq = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(libpq, autocommit=True) as connection:
        return (
            connection.execute(statement).fetchall()
            if statement.startswith("SELECT")
            else connection.execute(statement)
        )
