import time
from threading import Event

import pytest

from relex.errors import LeaseLost, ServiceUnreachable
from relex.flows.lease import Lease, LeaseTerms, Stopped


def terms(lease=0.03, stall=60.0, stopping=lambda: False):
    return LeaseTerms(lease, stall, stopping)


def test_a_lease_is_renewed_while_the_work_continues():
    renewed = Event()
    with Lease(renewed.set, terms()):
        assert renewed.wait(10)


def test_work_that_does_not_move_loses_its_lease():
    renewals = []
    with Lease(lambda: renewals.append(time.monotonic()), terms(stall=0.1)) as lease:
        lease._thread.join(10)
        assert not lease._thread.is_alive()
        with pytest.raises(LeaseLost, match=r"no progress for 0 s: the lease is given up"):
            lease.record_progress()
    assert renewals


def test_a_stall_is_reported_even_if_the_work_never_hears_of_it():
    stalled = Event()
    terms_ = LeaseTerms(0.03, 0.1, lambda: False, on_stall=stalled.set)
    with Lease(lambda: None, terms_):
        assert stalled.wait(10)


def test_a_lost_lease_is_reported_at_the_next_move():
    asked = Event()

    def renew():
        asked.set()
        raise LeaseLost("another worker has it")

    with Lease(renew, terms()) as lease:
        assert asked.wait(10)
        lease._thread.join(10)
        with pytest.raises(LeaseLost):
            lease.record_progress()


def test_an_outage_does_not_end_the_renewals():
    calls, enough = [], Event()

    def renew():
        calls.append(1)
        if len(calls) > 2:
            enough.set()
        raise ServiceUnreachable("Postgres restarts")

    with Lease(renew, terms()) as lease:
        assert enough.wait(10)
        lease.record_progress()


def test_a_worker_that_is_asked_to_end_stops_at_the_next_move():
    with Lease(lambda: None, terms(stopping=lambda: True)) as lease, pytest.raises(Stopped):
        lease.record_progress()
