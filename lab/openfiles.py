"""How many sockets this process may have: as many as the system lets it, so that silent clients cannot use them up."""

from __future__ import annotations

import resource

from wire.errors import OperatorError


def raise_open_file_limit() -> int:
    """Raises the soft limit of open files to the hard one; returns what is in force now.

    The soft limit is 1,024 on most systems, for programs that still use ``select``. Those here do not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # some systems call the hard limit infinite and allow less
        return soft
    return hard


def require_open_files(wanted: int, what_for: str) -> None:
    """Raises the limit, and sees to it that it is enough.

    Raises:
        OperatorError: it is not.
    """
    limit = raise_open_file_limit()
    if limit != resource.RLIM_INFINITY and limit < wanted:
        raise OperatorError(
            f"{what_for} need {wanted:,} open files, and this process may have {limit:,}: raise the hard limit "
            "('ulimit -Hn', LimitNOFILE= of a service) or run fewer phones in each process with --shard"
        )
