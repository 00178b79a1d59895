"""Which scorers a process holds."""

from relex.settings import Settings
from tests.factories import FakeScorer, register_model
from worker.scorers import Scorers


class Opened(FakeScorer):
    """Remembers how it was opened."""

    def __init__(self, folder, device, exact):
        self.how = (folder.name, device, exact)


def test_an_exact_scorer_is_another_one_and_each_is_opened_once(database, tmp_path):
    model = register_model(database, tmp_path)
    settings = Settings(home=tmp_path, device="cpu", scorer="tests.worker.test_scorers:Opened")
    held = Scorers(database, settings)
    usual, exact = held.get(model, exact=False), held.get(model, exact=True)
    assert (usual.how, exact.how) == (("1", "cpu", False), ("1", "cpu", True))
    assert held.get(model, exact=False) is usual
    assert held.get(model, exact=True) is exact
