"""A cluster with people in it: who may log in where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cluster.definition import ClusterDefinition

if TYPE_CHECKING:
    from cluster.store import ClusterStore

RECEPTION, WORKSHOP, CELLAR = "SEP001122334455", "SEP001122334456", "SEP001122334457"
PIN, PASSWORD = "73519", "correct horse"
USERS: tuple[dict[str, Any], ...] = (
    {
        "id": "alice",
        "name": "Alice Nowak",
        "pin": PIN,
        "password": PASSWORD,
        "devices": ["001122334455"],
        "lines": [{"number": "3001", "label": "Alice"}, {"number": "3002"}],
    },
    {"id": "bob", "pin": "11111", "lines": [{"number": "4001"}]},
    {"id": "carol", "pin": "22222"},
    {"id": "dave", "lines": [{"number": "5001"}]},
)
"""Carol has no profile, Dave no PIN."""
SERVICES = (
    {"name": "Corporate Directory", "url": "Application:Cisco/CorporateDirectory"},
    {"name": "Extension Mobility", "url": "/emapp/EMAppServlet?device=#DEVICENAME#"},
)


def with_people(before: ClusterDefinition, **changes: object) -> ClusterDefinition:
    """Users, the service, two phones that are enabled for it, and the cellar's, which is not."""
    fields = before.model_dump()
    devices = [{**device, "extension_mobility": True} for device in fields["devices"][:2]]
    cellar = {"mac": CELLAR, "model": "8865", "lines": [{"number": "2003"}]}
    people: dict[str, object] = {"devices": [*devices, cellar], "users": USERS, "phone_services": SERVICES}
    return ClusterDefinition.model_validate({**fields, **people, **changes})


async def add_people(store: ClusterStore, **changes: object) -> None:
    """`with_people` in an installed cluster."""
    await store.install(with_people(store.snapshot.definition, **changes))
