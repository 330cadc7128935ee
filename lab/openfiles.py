"""How many sockets this process may have: as many as the system lets it, so that silent clients cannot use them up."""

from __future__ import annotations

import resource


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
