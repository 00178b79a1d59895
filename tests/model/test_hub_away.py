"""A model hub that is slow, breaks off, refuses or is away, and a cache that cannot be written."""

import logging
import threading

import pytest
from huggingface_hub import constants

from relex.errors import InvalidConfig, ModelNotFound, RelexError, ServiceUnreachable
from relex.model.hub import weights_folder
from tests.hub import Repository
from tests.model import layouts
from tests.model.layouts import NAME, opened, safe, weight


def test_a_connection_that_breaks_off_is_resumed_where_it_broke(hub, impatient):
    files = safe()
    hub.repositories[NAME] = Repository(files, breaks_after=2_500, breaks=3)
    assert weight() == 0.1
    starts = [int(each.removeprefix("bytes=").rstrip("-")) for each in hub.ranges()]
    assert len(starts) >= 2
    assert all(starts)


@pytest.mark.hint("models.unreachable_hub")
def test_one_that_breaks_off_for_good_passes_by_itself_and_leaves_no_half_file(hub, cache, impatient):
    repository = hub.repositories[NAME] = Repository(safe(), breaks_after=0, breaks=10**6)
    with pytest.raises(ServiceUnreachable, match="try again"):
        opened()
    assert not list(cache.rglob("*.incomplete"))
    repository.breaks = 0
    assert weight() == 0.1


def test_progress_is_reported_while_a_slow_hub_sends(hub, caplog):
    """The hub does not send the second half before the first is reported."""
    caplog.set_level(logging.INFO, "relex")
    first, report = threading.Event(), []
    files = safe()
    hub.repositories[NAME] = Repository(files, halfway=lambda: first.wait(30))

    def progress(fetched, total):
        report.append((fetched, total))
        if 0 < fetched < total:
            first.set()

    weights_folder(NAME, progress)
    assert first.is_set()
    assert report[-1][0] == report[-1][1] == sum(map(len, files.values()))
    assert f"fetching the backbone {NAME} from {hub.url}" in caplog.text
    assert "fetched 0." in caplog.text


def test_a_run_that_is_cancelled_stops_fetching(hub):
    class Cancelled(Exception):
        pass

    def progress(*_):
        raise Cancelled

    hub.repositories[NAME] = Repository(safe())
    with pytest.raises(Cancelled):
        weights_folder(NAME, progress)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(None, marks=pytest.mark.hint("models.unknown_backbone")),
        "hf_wrong_and_secret",
        "hf_right_and_secret",
    ],
)
def test_a_token_is_used_and_never_logged(hub, monkeypatch, caplog, given):
    caplog.set_level(logging.DEBUG)
    hub.repositories[NAME] = Repository(safe(), token="hf_right_and_secret")
    if given:
        monkeypatch.setenv("HF_TOKEN", given)
    if given == "hf_right_and_secret":
        assert weight() == 0.1
    else:
        with pytest.raises(ModelNotFound, match="set HF_TOKEN for a private one") as caught:
            opened()
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"
    assert {headers.get("authorization") for *_, headers in hub.requests} == {f"Bearer {given}" if given else None}
    assert "secret" not in caplog.text


@pytest.mark.hint("models.gated_backbone")
def test_a_gated_model_is_reported_with_where_to_go(hub):
    hub.repositories[NAME] = Repository({}, gated=True)
    with pytest.raises(ModelNotFound, match=f"accept its terms at {hub.url}/{NAME} and set HF_TOKEN"):
        opened()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, ServiceUnreachable), (503, ServiceUnreachable), (429, ServiceUnreachable), (410, InvalidConfig)],
)
def test_what_the_hub_answers_says_whether_it_passes_by_itself(hub, impatient, status, kind):
    hub.repositories[NAME] = Repository({}, status=status)
    with pytest.raises(kind):
        opened()


@pytest.mark.hint("models.offline_backbone")
def test_a_copy_that_is_not_here_with_the_network_forbidden(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound, match="set HF_HUB_OFFLINE=0"):
        opened()
    hub.repositories[NAME] = Repository(safe())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # as the hint says
    assert weight() == 0.1


@pytest.mark.parametrize("part", ["HF_HUB_CACHE", "HF_ASSETS_CACHE"])
@pytest.mark.hint("models.unwritable_cache")
def test_a_cache_that_cannot_be_written_is_no_error_of_the_network(hub, cache, monkeypatch, part):
    hub.repositories[NAME] = Repository(safe() if part == "HF_HUB_CACHE" else layouts.klue(0.1))
    (cache / "file").touch()
    monkeypatch.setattr(constants, part, str(cache / "file" / "below"))
    with pytest.raises(RelexError, match="set HF_HOME to another folder") as caught:
        opened()
    assert not isinstance(caught.value, ServiceUnreachable)
    monkeypatch.setattr(constants, part, str(cache / "other"))  # as the hint says
    assert weight() == 0.1
