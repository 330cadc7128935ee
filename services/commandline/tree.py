"""All commands, in the order of help. Each family has a module in `commands`."""

from __future__ import annotations

from services.commandline.commands import (
    capf,
    certificates,
    ctl,
    files,
    itl,
    requests,
    services,
    session,
    settings,
    show_certificates,
    show_lists,
    show_system,
    sql,
    trust,
)
from services.commandline.grammar import Grammar

GRAMMAR = Grammar(
    (
        *show_lists.COMMANDS,
        *show_certificates.COMMANDS,
        *requests.COMMANDS,
        *show_system.COMMANDS,
        *certificates.COMMANDS,
        *trust.COMMANDS,
        *settings.COMMANDS,
        *itl.COMMANDS,
        *ctl.COMMANDS,
        *services.COMMANDS,
        *capf.COMMANDS,
        *files.COMMANDS,
        *sql.COMMANDS,
        *session.COMMANDS,
    )
)
