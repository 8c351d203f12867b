"""Several seeds side by side, each in a process of its own with its own threads.

Small networks cannot use two cores in one training; two trainings can. Every replicate is the run that
it would be alone, bit for bit.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
import warnings
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from ticket import kernels
from ticket.errors import Interrupted, TicketError
from ticket.finding import Finding, find_one
from ticket.request import Objects, Request
from ticket.watch import CONTINUE, Report, interruptible

POLL_SECONDS = 0.2


def cores() -> int:
    """Count the processors this process may use."""
    return len(os.sched_getaffinity(0))


def find_all(
    requests: Sequence[Request], report: Report, objects: Objects | None = None
) -> list[Finding]:
    """Find the tickets of all requests, as many side by side as there are cores.

    A network or data set given as Python objects cannot go to another process: then one after another.
    Raises the first failure; the other replicates are stopped and can be continued.
    """
    workers = max(1, cores() // max(r.threads for r in requests))
    if len(requests) == 1 or workers == 1 or objects is not None:
        return [find_one(request, objects, report) for request in requests]
    return _side_by_side(requests, report, min(workers, len(requests)))


def _side_by_side(requests: Sequence[Request], report: Report, workers: int) -> list[Finding]:
    kernels.warn_if_missing()  # once, here: the replicates keep quiet
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    messages: Any = context.Queue()
    waiting = list(enumerate(requests))
    running: dict[int, BaseProcess] = {}
    found: dict[int, Finding] = {}
    with interruptible() as stop:
        try:
            while len(found) < len(requests):
                if stop.asked:
                    raise Interrupted(CONTINUE)
                while waiting and len(running) < workers:
                    number, request = waiting.pop(0)
                    running[number] = context.Process(
                        target=_work, args=(number, request, messages)
                    )
                    _start(running[number])
                _listen(messages, running, found, report)
        finally:
            _end(running)
    return [found[number] for number in range(len(requests))]


def _start(process: BaseProcess) -> None:
    """Start a process that no Ctrl-C reaches: while it imports it would die with a traceback."""
    if threading.current_thread() is not threading.main_thread():
        process.start()  # elsewhere no handler can be set
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _listen(
    messages: Any, running: dict[int, BaseProcess], found: dict[int, Finding], report: Report
) -> None:
    """Take one message, or notice that a process has died without one."""
    try:
        kind, number, content = messages.get(timeout=POLL_SECONDS)
    except queue.Empty:
        for process in running.values():
            if process.exitcode is not None and messages.empty():
                raise TicketError(
                    f"the process of a replicate ended with code {process.exitcode}; "
                    "the same command continues"
                ) from None
        return
    if kind == "progress":
        report(content)
    elif kind == "found":
        found[number] = content
        running.pop(number).join()
    else:
        raise content


def _end(running: dict[int, BaseProcess]) -> None:
    """Ask the processes that still run to save and stop, and wait for them."""
    for process in running.values():
        if process.pid is not None and process.exitcode is None:
            os.kill(process.pid, signal.SIGTERM)
    for process in running.values():
        process.join(1.8)
        if process.exitcode is None:
            process.kill()
            process.join()


def _work(number: int, request: Request, messages: Any) -> None:
    """Find one ticket in this process and send what happens."""
    # The terminal sends SIGINT to everybody; the parent passes the wish on, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", kernels.KernelsMissingWarning)
    try:
        finding = find_one(request, None, lambda p: messages.put(("progress", number, p)))
        messages.put(("found", number, finding))
    except TicketError as problem:
        messages.put(("failed", number, problem))
    except Exception:
        # A traceback does not travel; its text does.
        messages.put(("failed", number, RuntimeError(traceback.format_exc())))
