"""What the phone remembers, read out of flash once and kept: trust lists, configuration, messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from phone_sim.credentials import Credential, decode_credential, encode_credential
from phone_sim.flash import FlashError, Item
from phone_sim.messages import Status, StatusLog, StatusMessage
from phone_sim.trust import Held, KeepOld, ListKind, read_list
from wire.encryptedfile import certificate_hash
from wire.errors import WireError
from wire.phoneconfig import DefaultConfig, PhoneConfig, decode_default_config, decode_phone_config

if TYPE_CHECKING:
    from base.clock import Clock
    from base.identity import Identity
    from phone_sim.flash import Flash
    from phone_sim.models import Model
    from wire.trustlist import TrustList

Config = PhoneConfig | DefaultConfig
_ITEM = {ListKind.CTL: Item.CTL, ListKind.ITL: Item.ITL}
_CREDENTIAL_ITEM = {Credential.LSC: Item.LSC, Credential.MIC: Item.MIC}
_NOT_LOADED = {ListKind.CTL: Status.CTL_NOT_LOADED, ListKind.ITL: Status.ITL_NOT_LOADED}


class PhoneMemory:
    """Flash, understood. What cannot be read in it counts as not there, and a status message says so.

    Attributes:
        ctl: installed CTL.
        itl: installed ITL.
        config: last good configuration.
        credentials: the phone's own certificates with their keys.
        log: status messages.
    """

    def __init__(self, flash: Flash, model: Model, clock: Clock) -> None:
        self.flash = flash
        self._model = model
        self._clock = clock
        self.log = self._load_log()
        self.ctl = self._load_list(ListKind.CTL)
        self.itl = self._load_list(ListKind.ITL)
        self.config = self._load_config()
        loaded = {credential: self._load_credential(credential) for credential in Credential}
        self.credentials = {credential: identity for credential, identity in loaded.items() if identity is not None}

    @property
    def held(self) -> Held:
        """What trust decisions start from."""
        return Held(
            ctl=self.ctl,
            itl=self.itl,
            tvs_configured=bool(self.config and self.config.tvs_servers),
            sha256=self._model.sha256.assumed,
            sha512=self._model.sha512.assumed,
            long_keys=self._model.rsa_4096.assumed,
            sast_limit=self._model.sast_limit,
        )

    @property
    def reads_encrypted(self) -> bool:
        """The model reads encrypted configurations."""
        return self._model.encrypted_config.assumed

    def read_list(self, data: bytes) -> TrustList | KeepOld:
        """A list as a phone of this model loads it (R-ITL-8)."""
        return read_list(data, self._model.list_limit)

    @property
    def identity(self) -> Identity | None:
        """What the phone shows to TLS servers that ask: its LSC, else its MIC."""
        return self.credentials.get(Credential.LSC) or self.credentials.get(Credential.MIC)

    def credential_for(self, cert_hash: str) -> Identity | None:
        """The certificate of that hash, as an announced encrypted configuration names it."""
        wanted = cert_hash.strip().lower()
        return next((item for item in self.credentials.values() if certificate_hash(item.certificate) == wanted), None)

    def install_credential(self, credential: Credential, identity: Identity) -> None:
        """Puts a certificate with its key into flash.

        Raises:
            FlashError: flash keeps the old one.
        """
        self.flash.write(_CREDENTIAL_ITEM[credential], encode_credential(identity))
        self.credentials[credential] = identity

    def erase_credential(self, credential: Credential) -> None:
        """Forgets a certificate and its key.

        Raises:
            FlashError: it cannot be removed.
        """
        self.flash.delete(_CREDENTIAL_ITEM[credential])
        self.credentials.pop(credential, None)

    def list_of(self, kind: ListKind) -> TrustList | None:
        """The installed list of a kind."""
        return self.ctl if kind is ListKind.CTL else self.itl

    def install_list(self, kind: ListKind, trust_list: TrustList) -> None:
        """Puts an accepted list into flash.

        Raises:
            FlashError: flash keeps the old one.
        """
        self.flash.write(_ITEM[kind], trust_list.data)
        if kind is ListKind.CTL:
            self.ctl = trust_list
        else:
            self.itl = trust_list

    def install_config(self, config: Config, received: bytes, plain: bytes) -> None:
        """Puts an accepted configuration into flash, plain and as it was received.

        Raises:
            FlashError: flash keeps the old plain one.
        """
        self.flash.write(Item.CONFIG_AS_RECEIVED, received)
        self.flash.write(Item.CONFIG, plain)
        self.config = config

    def erase_lists(self) -> None:
        """Forgets both trust lists.

        Raises:
            FlashError: they cannot be removed.
        """
        self.flash.delete(Item.CTL)
        self.flash.delete(Item.ITL)
        self.ctl = self.itl = None

    def say(self, status: Status, file: str = "", *, reason: str = "", detail: str = "") -> StatusMessage:
        """Adds a status message to the log; `save_log` makes it durable."""
        time = self._clock.now().isoformat(timespec="milliseconds")
        message = StatusMessage(time, status.text(self._model.family, file), reason, detail)
        self.log.add(message)
        return message

    def save_log(self) -> None:
        """Writes the status messages to flash.

        Raises:
            FlashError: flash keeps the old ones.
        """
        self.flash.write(Item.STATUS, json.dumps(self.log.as_json(), ensure_ascii=False, indent=1).encode())

    def _load_log(self) -> StatusLog:
        try:
            data = self.flash.read(Item.STATUS)
            entries = json.loads(data) if data else []
            return StatusLog.from_json(entries, self._model.message_limit)
        except (FlashError, ValueError):
            return StatusLog(limit=self._model.message_limit)  # the messages themselves are all that is lost

    def _load_list(self, kind: ListKind) -> TrustList | None:
        try:
            data = self.flash.read(_ITEM[kind])
        except FlashError as error:
            self.say(_NOT_LOADED[kind], reason="flash_unreadable", detail=str(error))
            return None
        if data is None:
            return None
        trust_list = self.read_list(data)
        if isinstance(trust_list, KeepOld):
            self.say(_NOT_LOADED[kind], reason=trust_list.reason.value, detail=trust_list.detail)
            return None
        return trust_list

    def _load_credential(self, credential: Credential) -> Identity | None:
        try:
            data = self.flash.read(_CREDENTIAL_ITEM[credential])
            return decode_credential(data) if data else None
        except (FlashError, WireError) as error:
            self.say(Status.CREDENTIAL_NOT_LOADED, credential.value, reason="flash_unreadable", detail=str(error))
            return None

    def _load_config(self) -> Config | None:
        try:
            data = self.flash.read(Item.CONFIG)
            return read_config(data) if data else None
        except (FlashError, WireError) as error:
            self.say(Status.CONFIG_NOT_LOADED, reason="flash_unreadable", detail=str(error))
            return None


def read_config(data: bytes) -> Config:
    """Parses a plain configuration of either kind.

    Raises:
        WireError: it is neither.
    """
    try:
        return decode_phone_config(data)
    except WireError as error:
        try:
            return decode_default_config(data)
        except WireError:
            raise error from None
