"""``show itl`` and ``show ctl``: the bytes that the node serves, in UCM's layout."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cluster.servicecatalogue import TFTP, wanted_state
from cluster.trustlists import build_itl
from services.commandline.grammar import Command
from wire.show import show_no_file, show_trust_list
from wire.signing import verify_file
from wire.trustlist import CTL_FILE, ITL_FILE, decode_trust_list

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments
    from wire.show import Kind


async def show_itl(context: CommandContext, _arguments: Arguments) -> None:
    """The ITL of this node; there is none where Cisco Tftp is not activated."""
    snapshot = context.snapshot
    if not wanted_state(snapshot, context.node, TFTP).activated:
        await context.write(show_no_file("ITL").rstrip("\n"))
        return
    data = await asyncio.to_thread(build_itl, snapshot, context.node)
    modified = datetime.fromtimestamp(snapshot.stamps[context.node, ITL_FILE].timestamp, UTC)
    await context.write(_shown(data, "ITL", modified))


async def show_ctl(context: CommandContext, _arguments: Arguments) -> None:
    """The CTL that lies on this node."""
    stored = context.snapshot.files.get((context.node, CTL_FILE))
    if stored is None:
        await context.write(show_no_file("CTL").rstrip("\n"))
        return
    await context.write(_shown(stored.data, "CTL", stored.modified_at))


def _shown(data: bytes, kind: Kind, modified: datetime) -> str:
    """Checked with the signer's record inside, which proves that the file is whole."""
    trust_list = decode_trust_list(data)
    record = trust_list.signer_record
    certificate = record.x509 if record is not None else None
    verified = certificate is not None and verify_file(data, certificate.public_key)
    return show_trust_list(trust_list, kind, modified=modified, verified=verified).rstrip("\n")


COMMANDS = (
    Command("show itl", "the Initial Trust List of this node", show_itl),
    Command("show ctl", "the Certificate Trust List of this node", show_ctl),
)
