"""Whatever the input scheme and the pooling, a tiny network learns 64 rows by heart: nothing that it needs is lost."""

from pathlib import Path

import pytest
import torch

from relex.encoding.batches import collate
from relex.encoding.markers import Scheme
from relex.files.reading import read_labeled_examples
from relex.labels import RELATIONS
from relex.model.config import Pooling
from relex.training.losses import loss_function
from relex.training.model_factory import build_classifier
from tests.tiny_training import config

SAMPLE = Path(__file__).parents[2] / "data" / "train_data.csv"
ROWS = 64
STEPS = 100


@pytest.fixture(scope="module")
def rows():
    """The shortest sentences: no other reason than speed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield sorted(read_labeled_examples(SAMPLE), key=lambda row: len(row.sentence))[:ROWS]
    torch.set_num_threads(before)


def steps_to_learn(recipe, rows):
    """Steps over all rows at once, without dropout, until more than 95% are right."""
    torch.manual_seed(recipe.train.seed)
    model, tokenizer = build_classifier(recipe, rows)
    model.eval()
    batch = collate(model.encoder(tokenizer).encode(rows), tokenizer.pad_token_id).tensors()
    gold = torch.tensor([RELATIONS.index(row.label) for row in rows])
    loss = loss_function(recipe.loss, RELATIONS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.train.learning_rate)
    for step in range(STEPS):
        logits = model(**batch).logits
        if (logits.argmax(dim=1) == gold).float().mean() > 0.95:
            return step
        optimizer.zero_grad()
        loss(logits, gold).backward()
        optimizer.step()
    return None


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("type_sentence", [False, True])
@pytest.mark.parametrize("scheme", Scheme)
def test_it_learns_by_heart(rows, scheme, type_sentence, pooling):
    assert len({row.label for row in rows}) > 20
    shape = {"vocabulary": 1000, "hidden_size": 64, "layers": 1, "heads": 2, "intermediate_size": 64}
    recipe = config(
        backbone={"scratch": shape}, input={"scheme": scheme, "type_sentence": type_sentence}, pooling=pooling
    )
    assert steps_to_learn(recipe, rows)
