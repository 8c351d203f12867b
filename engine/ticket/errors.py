"""The errors that a user meets, as one tree; every other exception is a defect of ours.

TicketError            failed: one clear line, exit code 1
├── UsageError         what was asked for makes no sense: exit code 2
├── CheckFailed        a check ran and did not hold: exit code 3
└── Interrupted        stopped by the user, resumable: exit code 130
"""


class TicketError(Exception):
    """Stop with one line that names the thing, says what is wrong and what would be right."""

    exit_code = 1


class UsageError(TicketError):
    """Refuse a request that cannot be meant: an unknown name, an impossible number."""

    exit_code = 2


class CheckFailed(TicketError):
    """Report a check that ran to its end and did not hold."""

    exit_code = 3


class Interrupted(TicketError):
    """Leave because the user asked to; the same command continues."""

    exit_code = 130
