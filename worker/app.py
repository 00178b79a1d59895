"""The Celery app, with every setting and the reason for it. It carries doorbells; the work is in Postgres."""

from importlib import import_module
from types import ModuleType
from typing import Any

from celery import Celery
from celery.loaders.app import AppLoader
from kombu import Exchange, Queue

from relex.settings import Settings
from worker.background import SCORE, TRAIN


class Loader(AppLoader):  # type: ignore[misc]  # Celery carries no types
    """Celery's loader, which never puts the current folder first on sys.path for an import."""

    def import_from_cwd(self, module: str, imp: Any = import_module, package: str | None = None) -> ModuleType:
        """Import a module without adding the current folder to sys.path."""
        return import_module(module, package)

    def find_module(self, module: str) -> ModuleType:
        """Import a module without adding the current folder to sys.path."""
        return import_module(module)


# No fixups: the one for Django puts the current folder on the path where DJANGO_SETTINGS_MODULE is set.
app = Celery("relex", include=["worker.tasks"], loader=Loader, fixups=())
# Otherwise a thread makes its own app, which imports `celeryconfig` from the current folder.
app.set_default()
app.conf.update(
    # A run may take hours: with a queue of its own, it never blocks a shard.
    task_default_queue=SCORE,
    # Each with its own routing key: left out, it is that of the default queue, and every doorbell rings in both.
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (SCORE, TRAIN)],
    task_routes={"relex.score": {"queue": SCORE}, "relex.train": {"queue": TRAIN}},
    task_create_missing_queues=False,
    # A doorbell is done when it is heard. With late acks a task longer than the visibility timeout runs twice, and
    # a crashing one is delivered again at once and forever; here the lease in Postgres recovers what is lost.
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    # The state of a job is in Postgres alone: Celery calls unknown ids "pending", and its results would be a
    # second truth.
    task_ignore_result=True,
    result_backend=None,
    # JSON only: a pickled message runs code.
    task_serializer="json",
    accept_content=["json"],
    # Take one message at a time, so that a free worker is never behind a busy one.
    worker_prefetch_multiplier=1,
    # A worker that outlives Redis continues when Redis is back.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # So does one whose Redis refuses commands: a replica after a failover, a full one, one with other rights.
    broker_channel_error_retry=True,
    # A sender must not hang on a dead Redis: the sweep rings later.
    task_publish_retry=False,
    broker_transport_options={"socket_connect_timeout": 3, "socket_timeout": 30, "socket_keepalive": True},
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    # No remote control through Redis: an intruder there could otherwise stop workers.
    worker_enable_remote_control=False,
    timezone="UTC",
)


def configured(settings: Settings) -> Celery:
    """Return the app, connected to the broker that the settings name."""
    app.conf.broker_url = settings.broker_url
    return app
