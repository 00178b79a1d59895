"""The form of each example in an epoch: as it is, masked, or with other entities."""

import random

import pytest

from relex.domain.examples import Entity, Example
from relex.errors import InvalidConfig
from relex.labels import NO_RELATION
from relex.training.epoch_examples import EpochExamples
from relex.training.fitting import to_training_data
from relex.training.model_factory import build_classifier
from tests.tiny_training import config

COUNT = 300
GOLD = ["per:spouse" if row % 3 else NO_RELATION for row in range(COUNT)]


def example(row, subject, object_, between="와"):
    sentence = f"{subject}{between}{object_}"
    entities = (
        Entity(subject, 0, len(subject), "PER"),
        Entity(object_, len(sentence) - len(object_), len(sentence), "PER"),
    )
    return Example(row, f"id-{row}", sentence, *entities, label=GOLD[row], source="wikipedia")


def name(length=None):
    return "".join(generator.choices("가나다라마바사아자차카타파하", k=length or generator.randint(3, 9)))


generator = random.Random(6)
EXAMPLES = [example(row, name(), name()) for row in range(COUNT)]


@pytest.fixture(scope="module")
def built():
    return build_classifier(config(), EXAMPLES)


def prepared(built, examples=EXAMPLES, on_overflow="truncate", **train):
    recipe = config(input={"type_sentence": True, "on_overflow": on_overflow}, train=train)
    model, tokenizer = built
    settings = {"type_sentence": True, "on_overflow": recipe.input.on_overflow}
    model.relation = model.relation.model_copy(update=settings)
    data = to_training_data(recipe, examples, GOLD[: len(examples)], model.encoder(tokenizer), tokenizer)
    return EpochExamples(data, recipe.train)


def forms(examples, epoch=0):
    examples.start_epoch(epoch)
    return [examples[row]["encoded"] for row in range(examples.count)]


def kinds(built, found):
    """The rows of the masked examples, and those of the examples with other words."""
    mask = built[1].mask_token_id
    plain = forms(prepared(built))
    masked = {row for row, form in enumerate(found) if mask in form.input_ids}
    return masked, {row for row, form in enumerate(found) if form != plain[row]} - masked


def shown_word(tokenizer, ids):
    return "".join(token.removeprefix("##") for token in tokenizer.convert_ids_to_tokens(ids))


def test_without_these_settings_every_example_stays_as_it_is(built):
    assert kinds(built, forms(prepared(built))) == (set(), set())


def test_the_shares_are_those_of_the_recipe_and_change_with_the_epoch(built):
    examples = prepared(built, entity_mask_prob=0.25, entity_replace_prob=0.35)
    first, second = (kinds(built, forms(examples, epoch)) for epoch in (0, 1))
    for masked, replaced in (first, second):
        assert 0.2 < len(masked) / COUNT < 0.3
        assert 0.3 < len(replaced) / COUNT < 0.4
    assert len(first[0] & second[0]) < 0.5 * len(first[0])
    assert len(first[1] & second[1]) < 0.6 * len(first[1])


def test_every_label_is_replaced_alike(built):
    _, replaced = kinds(built, forms(prepared(built, entity_replace_prob=0.5)))
    shares = [sum(GOLD[row] == label for row in replaced) / GOLD.count(label) for label in set(GOLD)]
    assert shares == pytest.approx([0.5, 0.5], abs=0.1)


def test_masked_forms_show_no_entity(built):
    examples = prepared(built, entity_mask_prob=0.99)
    mask = built[1].mask_token_id
    masked = [form for form in forms(examples) if mask in form.input_ids]
    assert len(masked) > 0.9 * COUNT
    # Once in the sentence and once in the type sentence, for each of both.
    assert {form.input_ids.count(mask) for form in masked} == {4}


def test_other_words_come_from_the_file_and_keep_label_and_markers(built):
    _, tokenizer = built
    examples = prepared(built, entity_replace_prob=0.99)
    words = {entity.text for each in EXAMPLES for entity in (each.subject, each.object)}
    found = forms(examples)
    _, replaced = kinds(built, found)
    assert len(replaced) > 0.9 * COUNT
    for row in replaced:
        form = found[row]
        shown = [shown_word(tokenizer, form.input_ids[slice(*place)]) for place in (form.subject, form.object)]
        assert set(shown) <= words
        assert not set(shown) & {EXAMPLES[row].subject.text, EXAMPLES[row].object.text}
        assert tokenizer.convert_ids_to_tokens(form.input_ids[form.subject_marker]) == "[E1-PER]"
        assert tokenizer.convert_ids_to_tokens(form.input_ids[form.object_marker]) == "[E2-PER]"
        assert form.row_no == row
    assert [examples[row]["gold"] for row in range(COUNT)] == [prepared(built)[row]["gold"] for row in range(COUNT)]


def test_an_epoch_is_the_same_whatever_was_trained_before(built):
    settings = {"entity_mask_prob": 0.25, "entity_replace_prob": 0.35}
    one, other = prepared(built, **settings), prepared(built, **settings)
    uninterrupted = [forms(one, epoch) for epoch in range(3)]
    assert forms(other, 2) == uninterrupted[2]
    assert forms(other, 0) == uninterrupted[0]
    assert forms(prepared(built, **settings, seed=1), 2) != uninterrupted[2]


def test_the_masked_examples_do_not_depend_on_the_replaced_share(built):
    masked, _ = kinds(built, forms(prepared(built, entity_mask_prob=0.25)))
    assert kinds(built, forms(prepared(built, entity_mask_prob=0.25, entity_replace_prob=0.7)))[0] == masked


def test_the_lengths_are_those_of_this_epoch(built):
    examples = prepared(built, entity_mask_prob=0.3, entity_replace_prob=0.3)
    plain = prepared(built).start_epoch(0)
    for epoch in (0, 1):
        lengths = examples.start_epoch(epoch)
        assert lengths != plain
        assert lengths == [len(examples[row]["encoded"].input_ids) for row in range(COUNT)]


def test_words_that_do_not_fit_leave_the_example_as_it_is(built):
    """With `reject` an error of one drawn word would end the training."""
    long_names = [example(row, name(16), name(3)) for row in range(2)]
    apart = example(2, name(3), name(3), " 와 " * 26)
    examples = prepared(built, [*long_names, apart], on_overflow="reject", entity_replace_prob=0.99)
    plain = forms(prepared(built, [*long_names, apart], on_overflow="reject"))
    found = [forms(examples, epoch) for epoch in range(20)]
    assert all(len(form.input_ids) <= 48 for epoch in found for form in epoch)
    assert sum(epoch[2] == plain[2] for epoch in found) >= 5
    assert sum(epoch[0] == plain[0] for epoch in found) < 5
    assert len({epoch[2].input_ids for epoch in found}) > 1


def test_the_shares_cannot_be_more_than_everything():
    with pytest.raises(InvalidConfig, match="of at most 1 together"):
        config(train={"entity_mask_prob": 0.6, "entity_replace_prob": 0.5})
