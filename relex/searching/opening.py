"""Begins a study in Postgres, or joins it."""

from collections.abc import Iterator
from contextlib import contextmanager

import optuna

from relex.db import session, studies
from relex.db.connection import Database
from relex.errors import InvalidConfig
from relex.hints import jobs as hints
from relex.searching.faults import turned
from relex.searching.space import Search
from relex.searching.study import Study

MADE_FROM = "made_from"
"""The mark on a study: a digest of what it was begun with."""

FIRST_COMPLETE = 5
"""Trials that are trained to the end before any is pruned."""
FIRST_PRUNED_EPOCH = 2
"""The first epoch, often all warm-up, tells too little."""


@contextmanager
def open_study(database: Database, name: str, search: Search, made_from: str) -> Iterator[Study]:
    """Begin the study of this name, or join it.

    Args:
        database: any of relex's; Optuna's tables are made in it as needed.
        name: of the study.
        search: what it tries.
        made_from: a digest of the search and of all that it reads, by which a study is continued only with its own.

    Raises:
        InvalidConfig: the study was begun with another search.
        DatabaseUnreachable, RelexError: Optuna's tables cannot be had.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we tell ourselves
    studies.ensure_schema(database)
    with turned(database), studies.turn(database, studies.SCHEMA):
        storage = _storage(database)
    try:
        with turned(database), studies.turn(database, name):
            found = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=_pruner(search), load_if_exists=True
            )
            if found.user_attrs.get(MADE_FROM, made_from) != made_from:
                raise InvalidConfig(
                    f"the study {name} was begun with another recipe, search or data; "
                    f"{hints.another_study(f'{name}-2')}"
                )
            found.set_user_attr(MADE_FROM, made_from)
        yield Study(database, found, search)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _storage(database: Database) -> optuna.storages.RDBStorage:
    options = session.as_options({"search_path": studies.SCHEMA} | session.EXACT)
    arguments = session.NOTICE | session.CONNECTION | {"options": options}
    # Optuna fills its schema's version into braces.
    url = database.url.replace("{", "{{").replace("}", "}}")
    return optuna.storages.RDBStorage(url, {"pool_pre_ping": True, "connect_args": arguments})


def _pruner(search: Search) -> optuna.pruners.BasePruner:
    """A grid shows how the score depends on its settings: every trial of it is trained to the end."""
    if search.method == "grid":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=FIRST_COMPLETE, n_warmup_steps=FIRST_PRUNED_EPOCH)
