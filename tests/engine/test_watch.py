"""A signal asks a run to stop; a second one, or a second's patience, ends it; handlers come back."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from ticket import watch
from ticket.errors import Interrupted
from ticket.watch import Stop, interruptible


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    with interruptible() as stop:
        assert not stop.asked
        os.kill(os.getpid(), kind)
        assert stop.asked
    assert signal.getsignal(kind) is before


def ask(times: int, then_sleep: float = 0.0) -> None:
    with interruptible():
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(then_sleep)


def test_a_second_signal_ends_it_at_once() -> None:
    with pytest.raises(Interrupted, match="the same command continues"):
        ask(2)


def test_what_does_not_stop_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.05)
    began = time.monotonic()
    with pytest.raises(Interrupted):
        ask(1, then_sleep=5)
    assert time.monotonic() - began < 2


def test_no_alarm_is_left_behind() -> None:
    with interruptible():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_outside_the_main_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[Stop] = []

    def work() -> None:
        with interruptible() as stop:
            assert signal.getsignal(signal.SIGINT) is before
            seen.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [stop.asked for stop in seen] == [False]
