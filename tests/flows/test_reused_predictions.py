"""Identical content is scored once by a model version in one mode; everything else is scored."""

from dataclasses import replace

import pytest

from relex.db import examples, jobs, model_versions, predictions, results, shards
from relex.domain.jobs import JobState, NewJob
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.labels import RELATIONS
from tests.factories import FakeScorer, example, prediction, register_model, without_cells


class Counting(FakeScorer):
    """Counts the rows that it is asked for, by their sentence; raises for `bad` sentences."""

    def __init__(self, bad=()):
        self.asked = []
        self.bad = bad

    def score(self, examples):
        for item in examples:
            if item.sentence in self.bad:
                raise ValueError("bad row")
            self.asked.append(item.sentence)
            yield [prediction(item)]


@pytest.fixture
def queued(database):
    """Queue examples as they are, renumbered: `queued([...], exact=True)`."""
    register_model(database)
    made = []

    def queue(items, shard_rows=4, model="fake@1", **wishes):
        made.append(None)
        with database.transaction() as tx:
            new = NewJob(f"key-{len(made)}", "a.csv", "0" * 64, model, len(items), 0, **wishes)
            job_id = jobs.insert_job(tx, new)
            examples.copy_in(tx, job_id, without_cells((replace(item, row_no=n) for n, item in enumerate(items))))
            shards.create_shards(tx, job_id, len(items), shard_rows)
        return job_id

    return queue


@pytest.fixture
def scored(database, queued):
    """Queue and score: the job's progress, the sentences that were really scored, and the exported lines."""

    def score(items, bad=(), **how):
        job_id = queued(items, **how)
        scorer = Counting(bad)
        while score_next(database, Worker("me", lambda *_: scorer, LeaseTerms(60, 60, lambda: False))):
            pass
        with database.transaction() as tx:
            found = jobs.progress(tx, jobs.find(tx, job_id))
            stored = tx.exec_driver_sql("SELECT count(*) FROM predictions WHERE job_id = %s", (job_id,)).scalar()
            lines = b"".join(map(bytes, results.copy_csv(tx, job_id))).decode().splitlines()
        assert stored + found.failed == found.done == len(items)
        assert stored == len(lines)
        return found, scorer.asked, lines

    return score


ITEMS = [example(n) for n in range(10)]


def test_the_same_rows_are_scored_once_and_come_out_the_same(scored):
    first, asked, lines = scored(ITEMS)
    assert (first.reused, len(asked)) == (0, 10)
    second, asked, again = scored(ITEMS)
    assert (second.state, second.reused, second.truncated_rows, asked) == (
        JobState.DONE,
        10,
        first.truncated_rows,
        [],
    )
    assert again == lines


def test_a_job_whose_rows_are_all_known_loads_no_model(database, queued, scored):
    scored(ITEMS)
    queued(ITEMS[:4])

    def load(model, exact):
        raise AssertionError(f"{model} {exact} was loaded")

    assert score_next(database, Worker("me", load, LeaseTerms(60, 60, lambda: False)))


def test_answers_come_in_any_order_and_beside_new_rows(scored):
    _, _, lines = scored(ITEMS)
    found, asked, mixed = scored([example(11), *ITEMS[::-1], example(12)])
    assert (found.reused, sorted(asked)) == (10, sorted(example(n).sentence for n in (11, 12)))
    assert mixed[1:-1] == lines[::-1]


@pytest.mark.parametrize("shard_rows", [3, 100])
def test_duplicates_inside_a_file_are_scored_once_within_a_shard_and_across_shards(scored, shard_rows):
    items = [replace(ITEMS[n % 3], id=f"id {n}") for n in range(20)]
    found, asked, lines = scored(items, shard_rows=shard_rows)
    assert (found.reused, sorted(asked)) == (17, sorted(item.sentence for item in ITEMS[:3]))
    assert [line.partition(",")[0] for line in lines] == [f"id {n}" for n in range(20)]
    assert len({line.partition(",")[2] for line in lines}) == len({prediction(item).label for item in ITEMS[:3]})


def test_the_index_holds_each_content_once(database, scored):
    for _ in range(3):
        scored([*ITEMS, *ITEMS])
    with database.transaction() as tx:
        counts = tx.exec_driver_sql("SELECT count(cache_key), count(DISTINCT cache_key), count(*) FROM predictions")
        assert counts.one() == (10, 10, 60)


def moved(entity, **changes):
    return replace(entity, **changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda item: replace(item, sentence=item.sentence + " "),
        lambda item: replace(item, subject=moved(item.subject, type="PER")),
        lambda item: replace(item, object=moved(item.object, type="ORG")),
        lambda item: replace(item, subject=moved(item.subject, start=1)),
        lambda item: replace(item, subject=moved(item.subject, end=1)),
        lambda item: replace(item, object=moved(item.object, start=item.object.start + 1)),
        lambda item: replace(item, object=moved(item.object, end=item.object.end - 1)),
        lambda item: replace(item, subject=item.object, object=item.subject),
    ],
    ids=["sentence", "subject type", "object type", "subject start", "subject end", "start", "end", "turned"],
)
def test_other_content_is_scored(scored, change):
    scored(ITEMS[:4])
    found, asked, _ = scored([change(item) for item in ITEMS[:4]])
    assert (found.reused, len(asked)) == (0, 4)


def test_ids_labels_and_sources_are_no_content(scored):
    scored(ITEMS[:4])
    found, _, lines = scored(
        [replace(item, id="new" + item.id, label="no_relation", source=None) for item in ITEMS[:4]]
    )
    assert found.reused == 4
    assert lines[0].startswith("newid-0,")


def test_another_model_and_another_mode_are_not_asked(database, scored):
    scored(ITEMS[:4])
    with database.transaction() as tx:
        model_versions.register(tx, "fake", RELATIONS, {"config.json": "another"})
    for how in ({"model": "fake@2"}, {"exact": True}, {"model": "fake@2", "exact": True}):
        assert scored(ITEMS[:4], **how)[0].reused == 0
        assert scored(ITEMS[:4], **how)[0].reused == 4


def test_a_fresh_job_scores_every_row_and_answers_later_ones(database, scored):
    scored(ITEMS[:4])
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE predictions SET label = 'no_relation'")
    items = [ITEMS[0], *ITEMS[:4]]
    found, asked, lines = scored(items, fresh=True)
    assert (found.reused, asked) == (0, [item.sentence for item in items])
    reused, asked, again = scored(items)
    assert (reused.reused, asked, again) == (5, [], lines)


def test_a_row_error_is_tried_again_while_the_others_are_reused(scored):
    found, asked, lines = scored(ITEMS, bad={ITEMS[3].sentence}, shard_rows=10)
    assert (found.state, found.failed, len(lines)) == (JobState.DONE, 1, 9)
    again, asked, _ = scored(ITEMS, bad={ITEMS[3].sentence}, shard_rows=10)
    assert (again.state, again.failed, again.reused) == (JobState.DONE, 1, 9)
    assert len(asked) == 2  # a reused row before and after the search, to see whether the scorer works at all
    healed, asked, _ = scored(ITEMS, shard_rows=10)
    assert (healed.failed, healed.reused, asked) == (0, 9, [ITEMS[3].sentence])


def test_every_twin_of_a_bad_row_has_its_own_error(database, scored):
    bad = {ITEMS[3].sentence, ITEMS[5].sentence}
    found, _, _ = scored([*ITEMS, *ITEMS], bad=bad, shard_rows=20)
    assert (found.state, found.failed, found.reused) == (JobState.DONE, 4, 8)
    with database.transaction() as tx:
        assert [id_ for id_, *_ in results.errors_of(tx, found.job.id)] == ["id-3", "id-5"] * 2


def test_deleting_a_job_takes_its_answers_along_and_leaves_what_they_reused(database, scored):
    first, _, lines = scored(ITEMS)
    second, _, _ = scored(ITEMS)
    with database.transaction() as tx:
        tx.exec_driver_sql("DELETE FROM jobs WHERE id = %s", (first.job.id,))
        assert b"".join(map(bytes, results.copy_csv(tx, second.job.id))).decode().splitlines() == lines
    third, asked, again = scored(ITEMS)
    assert (third.reused, len(asked), again) == (0, 10, lines)


def test_of_several_answers_the_newest_jobs_is_given(database, scored):
    _, middle, _ = [scored(ITEMS[:1], fresh=True)[0].job.id for _ in range(3)]
    key = predictions.cache_key("fake@1", False, ITEMS[0])
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET created_at = created_at + interval '1 day' WHERE id = %s", (middle,))
        tx.exec_driver_sql("UPDATE predictions SET label = 'per:title' WHERE job_id = %s", (middle,))
        assert predictions.lookup(tx, [key])[key].label == "per:title"
