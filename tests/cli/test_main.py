"""`ticket` starts at once; every failure is one line on stderr and an exit code that says its kind."""

from __future__ import annotations

import errno
import subprocess
import sys
import time

import click
import pytest

from ticket.errors import CheckFailed, Interrupted, TicketError, UsageError
from ticket_cli.main import explain
from ticket_cli.main import ticket as command

from .conftest import type_ticket
