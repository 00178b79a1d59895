"""Studies on a real Postgres, with a trainer whose scores depend only on the settings, and one that trains."""

from functools import partial
from pathlib import Path

import pytest

from relex.errors import InvalidConfig, InvalidInput, RelexError
from relex.files.reading import read_labeled_examples
from relex.hints.models import ZERO_SCORE_HINT
from relex.lazy import load_trainer
from relex.training.recipe.config import load_config
from relex.tuning.study import UNPRUNED_TRIALS
from tests.tuning.studies import GRID, RATES, Listener, Trainer, execute


def test_a_grid_tries_every_combination_once_and_its_best_becomes_a_recipe(run_study):
    trainer, listener = Trainer(), Listener()
    outcome = run_study(GRID, 99, trainer, listener)
    tried = [(config.loss.gamma, config.dropout) for config in trainer.trained]
    assert tried == [(0.5, 0.1), (0.5, 0.2), (1.0, 0.1), (1.0, 0.2), (2.0, 0.1), (2.0, 0.2)]
    assert (outcome.best.score, outcome.best.changes) == (52.2, {"loss.gamma": 2.0, "dropout": 0.2})
    assert [result.number for result, _ in listener.results] == [0, 1, 2, 3, 4, 5]
    assert outcome.recipe == Path("mine-best.yaml")
    Path("outputs").mkdir()
    assert run_study(GRID, 6, output_dir=Path("outputs")).recipe == Path("outputs/mine-best.yaml")
    best = load_config(str(outcome.recipe))
    assert best.to_dict() == trainer.trained[-1].to_dict() | {"name": "mine-best"}


def test_a_study_runs_real_trainings(run_study):
    recipe = GRID + "validation: {metric: auprc}\n"  # so small a model finds no relation at all
    outcome = run_study(recipe, 2, partial(load_trainer, "cpu"))
    assert len(outcome.results) == 2
    folder = Path("again")
    history = []
    data = [read_labeled_examples(Path("data", name)) for name in ("train_data.csv", "valid_data.csv")]
    config = load_config(str(outcome.recipe))
    load_trainer("cpu").train(
        config, *data, folder, lambda progress: history.append(progress["history"]), Path("scratch")
    )
    assert max(epoch["auprc"] for epoch in history[-1]) == outcome.best.score


def test_the_same_command_gives_the_same_trials_and_continues_where_it_ended(run_study):
    whole = run_study(RATES, 5, study="whole", out=Path("whole.yaml"))
    parts = Trainer()
    run_study(RATES, 2, parts, study="parts")
    listener = Listener()
    resumed = run_study(RATES, 5, parts, listener, study="parts")
    assert [result.changes for result in resumed.results] == [result.changes for result in whole.results]
    assert len({result.changes["train.learning_rate"] for result in whole.results}) == 5
    assert (listener.num_earlier, len(listener.results), len(parts.trained)) == (2, 3, 5)
    run_study(RATES, 5, parts, study="parts")
    assert len(parts.trained) == 5


def test_a_hopeless_trial_is_pruned(run_study):
    scores = [60.0] * UNPRUNED_TRIALS + [10.0, 70.0]
    trainer = Trainer(lambda _: scores[len(trainer.trained) - 1])
    outcome = run_study(RATES, UNPRUNED_TRIALS + 2, trainer)
    assert [result.end for result in outcome.results] == ["done"] * UNPRUNED_TRIALS + ["pruned", "done"]
    assert (outcome.results[UNPRUNED_TRIALS].score, outcome.best.score) == (10.0, 70.0)


def test_a_trial_that_fails_does_not_end_the_study(run_study):
    def score(config):
        if config.loss.gamma == 1.0:
            raise RelexError("the loss is nan")
        if config.loss.gamma == 2.0:
            raise MemoryError("no room")
        return 50.0

    trainer = Trainer(score)
    outcome = run_study(GRID, 6, trainer)
    assert [result.reason for result in outcome.results] == [None] * 2 + ["the loss is nan"] * 2 + [
        "MemoryError('no room')"
    ] * 2
    assert len(trainer.trained) == 6
    assert outcome.best.number == 0


def test_where_all_fail_the_study_fails_and_leaves_no_file(run_study):
    def score(_):
        raise RelexError("the loss is nan")

    with pytest.raises(RelexError, match="has a score; the last one: the loss is nan"):
        run_study(GRID, 6, Trainer(score))
    assert not Path("mine-best.yaml").exists()


@pytest.mark.hint("models.ZERO_SCORE_HINT")
def test_where_every_score_is_zero_no_recipe_is_written_until_it_is_tuned_for_longer(run_study):
    with pytest.raises(RelexError, match=r"the best of 6 trials .* 0\.00: nothing was learned.*\nhint: ") as refusal:
        run_study(GRID, 6, Trainer(lambda _: 0.004))
    assert str(refusal.value).endswith(ZERO_SCORE_HINT)
    assert not Path("mine-best.yaml").exists()
    longer = GRID.replace("epochs: 3", "epochs: 9")
    outcome = run_study(longer, 6, Trainer(lambda config: 0.004 + 10 * (config.train.epochs > 3)))
    assert (len(outcome.results), load_config(str(outcome.recipe)).train.epochs) == (6, 9)


def test_another_search_space_does_not_continue_a_study(run_study):
    run_study(GRID, 1, study="mine", out=Path("one.yaml"))
    with pytest.raises(InvalidConfig, match="the study mine was created with another recipe"):
        run_study(GRID.replace("epochs: 3", "epochs: 2"), 1, study="mine")
    with pytest.raises(InvalidConfig, match="was created with another recipe"):
        run_study(GRID.replace("[0.1, 0.2]", "[0.1]"), 1, study="mine")
    first, second = run_study(GRID, 1), run_study(GRID.replace("epochs: 3", "epochs: 2"), 1, out=Path("two.yaml"))
    assert first.study != second.study


def test_a_foreign_file_is_not_overwritten(run_study):
    trainer = Trainer()
    Path("mine-best.yaml").write_text("base: base\n")
    with pytest.raises(InvalidInput, match=r"`--out .*-2\.yaml` names another"):
        run_study(GRID, 1, trainer)
    with pytest.raises(InvalidInput, match="the folder gone does not exist"):
        run_study(GRID, 1, trainer, out=Path("gone/best.yaml"))
    with pytest.raises(InvalidInput, match="--study"):
        run_study(GRID, 1, trainer, study="a\nb")
    assert (trainer.trained, Path("mine-best.yaml").read_text()) == ([], "base: base\n")
    run_study(GRID, 1, out=Path("other.yaml"))
    assert run_study(GRID, 2, out=Path("other.yaml")).recipe.is_file()


def test_a_recipe_that_somebody_changed_stays(run_study):
    written = run_study(GRID, 1).recipe
    text = written.read_text("utf-8")
    changed = text.replace("base:", "# mine\nbase:")
    written.write_text(changed, "utf-8")
    trainer = Trainer()
    with pytest.raises(InvalidInput, match=r"exists and is not an unchanged recipe of the study"):
        run_study(GRID, 2, trainer)
    assert (trainer.trained, written.read_text("utf-8")) == ([], changed)
    written.write_text(text, "utf-8")
    assert run_study(GRID, 2).recipe == written


def test_a_recipe_that_appears_in_the_meantime_stays(run_study):
    class Slow(Trainer):
        def train(self, *arguments):
            Path("mine-best.yaml").write_text("base: base\n")
            super().train(*arguments)

    assert run_study(GRID, 1, Slow()).recipe == Path("mine-best-2.yaml")
    assert Path("mine-best.yaml").read_text() == "base: base\n"


def test_optunas_tables_are_in_a_schema_of_their_own(run_study, database_url):
    before = execute(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    run_study(GRID, 1)
    assert execute(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") == before
    assert execute(database_url, "SELECT count(*) FROM optuna.trials") == [(1,)]


def test_a_score_of_folds_is_the_mean_of_their_best(run_study):
    class Folds(Trainer):
        def train(self, config, train, valid, folder, report, scratch):
            history = [{"micro_f1": 40.0}, {"micro_f1": 30.0}]
            report({"fold": 1, "history": history[:1]})
            report({"fold": 1, "history": history})
            report({"fold": 2, "history": [*history, {"micro_f1": 60.0}]})

    assert run_study(GRID, 1, Folds()).best.score == 50.0
