"""UCM's services that do nothing here: they can be switched, their state is shown, and nothing listens."""

from __future__ import annotations

from services.service import Health, Listener


class StateOnlyService:
    """Implements `services.service.Service` for a name of the catalogue that has no daemon."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._health = Health.STOPPED

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """None, ever."""
        return ()

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        self._health = Health.STARTED

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - there is nobody to be graceful to
        """See `services.service.Service`."""
        self._health = Health.STOPPED
