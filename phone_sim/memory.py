"""What the phone remembers, read out of flash once and kept: trust lists, configuration, messages."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from phone_sim.credentials import Credential, decode_credential, encode_credential
from phone_sim.flash import FlashError, Item
from phone_sim.messages import Status, StatusLog, StatusMessage
from phone_sim.namedfiles import HeldFile, Kind
from phone_sim.reasons import Reason
from phone_sim.trust import Held, KeepOld, ListKind, read_installed_list, read_list, read_signed
from wire.encryptedfile import certificate_hash
from wire.errors import WireError
from wire.phoneconfig import DefaultConfig, PhoneConfig, decode_default_config, decode_phone_config
from wire.signedfile import SignedFile
from wire.trustlist import TrustList

if TYPE_CHECKING:
    from collections.abc import Collection

    from base.clock import Clock
    from base.identity import Identity
    from phone_sim.flash import Flash
    from phone_sim.models import Model
    from wire.encryptedfile import EncryptedFile

Config = PhoneConfig | DefaultConfig
_ITEM = {ListKind.CTL: Item.CTL, ListKind.ITL: Item.ITL}
_CREDENTIAL_ITEM = {Credential.LSC: Item.LSC, Credential.MIC: Item.MIC}
_FILE_ITEM = {kind: Item[kind.name] for kind in Kind}
_NOT_LOADED = {
    Item.CTL: Status.CTL_NOT_LOADED,
    Item.ITL: Status.ITL_NOT_LOADED,
    Item.CONFIG: Status.CONFIG_NOT_LOADED,
}
_NAME = {
    Item.CONFIG_AS_RECEIVED: "signed configuration",
    Item.LSC: Credential.LSC.value,
    Item.MIC: Credential.MIC.value,
    Item.STATUS: "status messages",
    Item.TVS_CACHE: "TVS cache",
    **{item: kind.value for kind, item in _FILE_ITEM.items()},
}
_ERASING = {
    frozenset(ListKind): Status.ERASING_TRUST_LISTS,
    frozenset({ListKind.CTL}): Status.ERASING_CTL,
    frozenset({ListKind.ITL}): Status.ERASING_ITL,
}
_SURVIVES_FACTORY_RESET = frozenset({Item.MIC})


class PhoneMemory:
    """Flash, understood. What cannot be read in it counts as not there, and a status message says so.

    Attributes:
        ctl: installed CTL.
        itl: installed ITL.
        config: last good configuration.
        credentials: the phone's own certificates with their keys.
        files: those beside the configuration.
        log: status messages.

    Args:
        mac: the phone's, twelve upper-case hex digits: its name may stand in the header of its own lists.
    """

    def __init__(self, flash: Flash, model: Model, clock: Clock, mac: str = "") -> None:
        self.flash = flash
        self._model = model
        self._clock = clock
        self._mac = mac
        self._losses: list[StatusMessage] = []
        self._load()

    def _load(self) -> None:
        self.log = StatusLog(limit=self._model.message_limit)
        self.log = self._load_log()
        self.ctl = self._load_list(ListKind.CTL)
        self.itl = self._load_list(ListKind.ITL)
        self.config = self._load_config()
        self._check_signed_config()
        held = {kind: self._load_file(kind) for kind in Kind}
        self.files = {kind: file for kind, file in held.items() if file is not None}
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
    def signed_config(self) -> SignedFile | EncryptedFile | None:
        """The file that the configuration came in; None when it came without a signature. Read when it is asked for."""
        read = self._received()
        return None if isinstance(read, KeepOld) else read

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

    def install_file(self, kind: Kind, file: HeldFile) -> None:
        """Puts an accepted file into flash, unless it is there already.

        Raises:
            FlashError: flash keeps the old one.
        """
        if self.files.get(kind) != file:
            self.flash.write(_FILE_ITEM[kind], file.encode())
            self.files[kind] = _shared(file)

    def forget_files_except(self, named: set[Kind]) -> None:
        """Removes the files of kinds that the configuration in use does not name.

        Raises:
            FlashError: one cannot be removed.
        """
        for kind in self.files.keys() - named:
            self.flash.delete(_FILE_ITEM[kind])
            del self.files[kind]

    def erase_lists(self, kinds: Collection[ListKind] = tuple(ListKind)) -> None:
        """Forgets trust lists, and says so.

        Raises:
            FlashError: one cannot be removed; those before it are gone.
        """
        self.say(_ERASING[frozenset(kinds)])
        for kind in kinds:
            self.flash.delete(_ITEM[kind])
            if kind is ListKind.CTL:
                self.ctl = None
            else:
                self.itl = None

    def reset_to_factory(self) -> None:
        """Forgets everything but the MIC, and says so.

        Raises:
            FlashError: something cannot be removed; what came before it is gone.
        """
        for item in Item:
            if item not in _SURVIVES_FACTORY_RESET:
                self.flash.delete(item)
        self._losses.clear()
        self._load()
        self.say(Status.FACTORY_RESET)

    def take_losses(self) -> tuple[StatusMessage, ...]:
        """What was said, since the last call, about items of flash that could not be read."""
        losses = tuple(self._losses)
        self._losses.clear()
        return losses

    def lost(self, item: Item, detail: str, reason: str = "flash_unreadable") -> None:
        """Says that an item of flash counts as not there."""
        status = _NOT_LOADED.get(item, Status.NOT_LOADED)
        self._losses.append(self.say(status, _NAME.get(item, ""), reason=reason, detail=detail))

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
            if data is None:
                return StatusLog(limit=self._model.message_limit)
            return StatusLog.from_json(json.loads(data), self._model.message_limit)
        except FlashError as error:
            self.lost(Item.STATUS, str(error))
        except (ValueError, RecursionError):
            self.lost(Item.STATUS, "not the status messages of this version")
        return self.log

    def _load_list(self, kind: ListKind) -> TrustList | None:
        item = _ITEM[kind]
        try:
            data = self.flash.read(item)
        except FlashError as error:
            self.lost(item, str(error))
            return None
        if data is None:
            return None
        trust_list = read_installed_list(data, self._model.list_limit, self._model.sast_limit)
        if isinstance(trust_list, TrustList):
            name = trust_list.header.file_name
            if name.lower() in {kind.value.lower(), f"{kind.name}SEP{self._mac}.tlv".lower()}:
                return trust_list
            trust_list = KeepOld(Reason.WRONG_FILE_NAME, f"its header names {name}")
        self.lost(item, trust_list.detail, trust_list.reason.value)
        return None

    def _load_credential(self, credential: Credential) -> Identity | None:
        item = _CREDENTIAL_ITEM[credential]
        try:
            data = self.flash.read(item)
            return decode_credential(data) if data is not None else None
        except (FlashError, WireError) as error:
            self.lost(item, str(error))
            return None

    def _load_file(self, kind: Kind) -> HeldFile | None:
        item = _FILE_ITEM[kind]
        try:
            data = self.flash.read(item)
            return _shared(HeldFile.decode(data)) if data is not None else None
        except (FlashError, WireError) as error:
            self.lost(item, str(error))
            return None

    def _load_config(self) -> Config | None:
        try:
            data = self.flash.read(Item.CONFIG)
            return read_config(data) if data is not None else None
        except (FlashError, WireError) as error:
            self.lost(Item.CONFIG, str(error))
            return None

    def _check_signed_config(self) -> None:
        """Nothing depends on it but a menu; where it is lost, the plain configuration still serves."""
        read = self._received()
        if isinstance(read, KeepOld) and read.reason is not Reason.UNSIGNED:
            self.lost(Item.CONFIG_AS_RECEIVED, read.detail, read.reason.value)

    def _received(self) -> SignedFile | EncryptedFile | KeepOld | None:
        """What the configuration came in, as flash has it."""
        try:
            data = self.flash.read(Item.CONFIG_AS_RECEIVED)
            plain = self.flash.read(Item.CONFIG) if self.config is not None else None
        except FlashError as error:
            return KeepOld(Reason.UNREADABLE, str(error))
        read = read_signed(data) if data is not None else None
        if isinstance(read, SignedFile) and plain is not None and read.body != plain:
            return KeepOld(Reason.UNREADABLE, "not the file that the configuration came in")
        return read


@lru_cache(maxsize=64)
def _shared(file: HeldFile) -> HeldFile:
    """The same object for equal files, as all phones of a fleet hold the same few."""
    return file


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
