"""Which file a name stands for: the heart of Cisco Tftp, shared by TFTP, HTTP and HTTPS.

Names are looked up without regard to case, as the real server does. Generated files are computed from the cluster's
snapshot, signed once, and kept until the snapshot or the ports change. Files of the TFTP directory are served plain
and, with ``.sgn`` appended, signed; one that exists signed only is served plain with its signature stripped. Such a
file goes before a generated ring list, dial template, locale or soft key file of its name, and before the generated
trust lists where it is a known phone's ``CTLSEP<MAC>.tlv`` or ``ITLSEP<MAC>.tlv``; configurations are generated always.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.ctl import ctl_of
from cluster.namedfiles import named_file
from cluster.parameters import AUTO_REGISTRATION, FILE_SIGNATURE, read_bool, read_digest
from cluster.phonefiles import changed_at, default_config, encryption_recipient, phone_config, phone_stub
from cluster.trustlists import build_itl
from services.tftp.encrypting import encrypted_config
from services.tftp.source import check_name
from wire.errors import Refusal, WireError
from wire.signedfile import decode_signed_file, sign_file
from wire.signing import SigningKey
from wire.trustlist import CTL_FILE, ITL_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from base.trace import Trace
    from cluster.devices import Device
    from cluster.endpoints import Endpoints
    from cluster.models import ServedModels
    from cluster.snapshot import ClusterSnapshot, OwnCertificate
    from services.tftp.source import FileSource
    from wire.certificates import Certificate

CACHE_LIST = "ConfigFileCacheList.txt"
MAX_STATIC_SIZE = 256 * 1024 * 1024
"""Bytes of a file in the TFTP directory; firmware images have up to about 150 MB."""
_LISTS = frozenset(name.lower() for name in (ITL_FILE, CTL_FILE, CACHE_LIST))
_CACHE_ENTRIES = 20_000
_BESIDE = 1
"""Variant of files beside the configuration: kept apart, as the TFTP directory is looked into before they are."""
_NOT_FOUND, _ACCESS_VIOLATION = 1, 2
_GENERIC = {"itl": ITL_FILE, "ctl": CTL_FILE}
_LIST_OF_DEVICE = re.compile(r"(ctl|itl)sep([0-9a-f]{12})\.tlv")
_CONFIG_OF_DEVICE = re.compile(r"sep([0-9a-f]{12})\.cnf\.xml")
_ENCRYPTED_OF_DEVICE = re.compile(r"sep([0-9a-f]{12})\.cnf\.xml\.enc\.sgn")
_OF_DEVICE = re.compile(r"sep([0-9a-f]{12})\.cnf\.xml(?:\.sgn|\.enc\.sgn)?")
_SIGNED = ".sgn"


class PhoneFiles:
    """The files of one TFTP node.

    Args:
        node: node name.
        view: gives the present snapshot.
        endpoints: gives the ports in use.
        signer: the CallManager certificate bound when the service started; signs ``.sgn`` files.
        models: firmware names by model.
    """

    def __init__(
        self,
        node: str,
        view: Callable[[], ClusterSnapshot],
        endpoints: Callable[[], Endpoints],
        signer: OwnCertificate,
        models: ServedModels,
        trace: Trace,
    ) -> None:
        self._node = node
        self._view = view
        self._endpoints = endpoints
        self._signer = signer
        self._models = models
        self._trace = trace
        self._cache: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._cached_for: object = None

    def showing(self, certificate: Certificate) -> FileSource:
        """The files for an HTTPS client that showed this certificate, of a CA that the cluster trusts."""
        return _Showing(self, certificate)

    def read(self, name: str, peer: str, transport: str) -> bytes:  # noqa: ARG002 - every client gets the same
        """The bytes that `name` stands for.

        Args:
            name: as the client asked, folders with ``/``.
            peer: who asks.
            transport: ``tftp``, ``http``, or ``https`` (6971 and 6972, where ``.sgn`` of a device's own configuration
                is answered with the unsigned file, as phones expect there).

        Raises:
            Refusal: with a TFTP error code: 1 not found, 2 access violation.
        """
        return self.read_for(name, transport, None)

    def read_for(self, name: str, transport: str, shown: Certificate | None) -> bytes:
        """As `read`, for a client that showed a certificate, or none."""
        check_name(name)
        folded = name.lower()
        if transport == "https" and _CONFIG_OF_DEVICE.fullmatch(folded.removesuffix(_SIGNED)):
            folded = folded.removesuffix(_SIGNED)
        snapshot, endpoints = self._view(), self._endpoints()
        variant = 0
        if folded == CACHE_LIST.lower():
            variant = snapshot.revision
        elif of_config := _OF_DEVICE.fullmatch(folded):
            variant = self._variant(snapshot, of_config[1], transport, shown)
        if folded == CACHE_LIST.lower() and transport == "tftp":
            folded = ""  # over TFTP it is no name of ours
        of_device = _LIST_OF_DEVICE.fullmatch(folded)
        if of_device:  # the same bytes for every phone of this node, signed and kept once ...
            self._device(snapshot, of_device[2])
            own = self._own_list(name, snapshot)  # ... but for one that an operator gave a list of its own
            return own if own is not None else self.read_for(_GENERIC[of_device[1]], transport, shown)
        content = (snapshot.configured, snapshot.stamps, snapshot.files, snapshot.auto_devices, endpoints)
        if content != self._cached_for:
            self._cache.clear()
            self._cached_for = content
        data = self._kept((folded, variant), lambda: self._make(folded, snapshot, endpoints, whole=variant < 0))
        if data is None:
            data = self._from_directory(name, snapshot)
        if data is None:
            data = self._kept((folded, _BESIDE), lambda: self._beside(folded, snapshot))
        if data is None:
            raise Refusal(_NOT_FOUND, f"{name} does not exist")
        return data

    def _kept(self, key: tuple[str, int], make: Callable[[], bytes | None]) -> bytes | None:
        """What was made before under this key, else what is made now; nothing is not kept."""
        data = self._cache.get(key)
        if data is None and (data := make()) is not None:
            self._cache[key] = data
            if len(self._cache) > _CACHE_ENTRIES:
                self._cache.popitem(last=False)
        return data

    def _variant(self, snapshot: ClusterSnapshot, mac: str, transport: str, shown: Certificate | None) -> int:
        """Which of a device's configurations is meant: that of a revision, negative for the whole one over HTTPS.

        A device with an EC LSC cannot decrypt; its encrypted configuration is given to its LSC over HTTPS (R-DL-2).
        """
        name = f"SEP{mac.upper()}"
        device, security, login = snapshot.devices.get(name), snapshot.security_of(name), snapshot.logins.get(name)
        revision = max(security.revision, login.revision if login is not None else 0)
        if device is None or transport != "https" or not device.encrypted_config or not security.shows_lsc_on_https:
            return revision
        if shown is None or shown != security.lsc:
            self._trace.emit("lsc_not_shown", device=name, shown=str(shown.subject) if shown else "")
            raise Refusal(_ACCESS_VIOLATION, f"{name} has to show its LSC")
        return -revision

    def _make(self, name: str, snapshot: ClusterSnapshot, endpoints: Endpoints, *, whole: bool) -> bytes | None:
        """A generated file; None when the name is none of those. `whole`: no stub, the client may read it."""
        if name in _LISTS:
            return self._list(name, snapshot, endpoints)
        encrypted = _ENCRYPTED_OF_DEVICE.fullmatch(name)
        if encrypted:
            return self._encrypted(snapshot, self._device(snapshot, encrypted[1]), endpoints)
        if name.endswith(_SIGNED):
            plain_name = name.removesuffix(_SIGNED)
            plain = self._plain(plain_name, snapshot, endpoints)
            if plain is None:
                return None
            return self._sign(self._canonical(plain_name) + _SIGNED, plain, snapshot, _changed(plain_name, snapshot))
        return self._plain(name, snapshot, endpoints, whole=whole)

    def _plain(
        self, name: str, snapshot: ClusterSnapshot, endpoints: Endpoints, *, whole: bool = False
    ) -> bytes | None:
        config = _CONFIG_OF_DEVICE.fullmatch(name)
        if config:
            device = self._device(snapshot, config[1])
            load, recipient = self._models.load_of(device.model), encryption_recipient(snapshot, device)
            if recipient is not None and not whole:
                return phone_stub(snapshot, device, recipient, endpoints, load)
            return phone_config(snapshot, device, endpoints, load)
        if name == "xmldefault.cnf.xml":
            if not read_bool(snapshot.parameter(AUTO_REGISTRATION)):
                raise Refusal(_NOT_FOUND, "auto-registration is off")
            return default_config(snapshot, endpoints, self._models.models)
        return None

    def _list(self, name: str, snapshot: ClusterSnapshot, endpoints: Endpoints) -> bytes:
        if name == ITL_FILE.lower():
            return build_itl(snapshot, self._node)
        return self._ctl(snapshot) if name == CTL_FILE.lower() else self._cache_list(snapshot, endpoints)

    def _encrypted(self, snapshot: ClusterSnapshot, device: Device, endpoints: Endpoints) -> bytes:
        recipient = encryption_recipient(snapshot, device)
        if recipient is None:
            raise Refusal(_NOT_FOUND, f"the configuration of {device.name} is not encrypted")
        if not recipient.is_rsa:
            raise Refusal(_NOT_FOUND, f"{device.name} has an EC LSC: it gets its configuration over HTTPS")
        return encrypted_config(
            f"{device.name}.cnf.xml.enc{_SIGNED}",
            phone_config(snapshot, device, endpoints, self._models.load_of(device.model)),
            recipient,
            signer=self._signer,
            digest=read_digest(snapshot.parameter(FILE_SIGNATURE)),
            timestamp=int(changed_at(snapshot, device).timestamp()),
        )

    def _ctl(self, snapshot: ClusterSnapshot) -> bytes:
        ctl = ctl_of(snapshot, self._node)
        if ctl is None:
            raise Refusal(_NOT_FOUND, "the cluster has no CTL")
        return ctl

    def _device(self, snapshot: ClusterSnapshot, mac: str) -> Device:
        name = f"SEP{mac.upper()}"
        device = snapshot.devices.get(name)
        if device is None:
            self._trace.emit("device_unknown", device=name)
            raise Refusal(_NOT_FOUND, f"{name} is no device of this cluster")
        return device

    @staticmethod
    def _canonical(name: str) -> str:
        """The name as phones ask for it, for the signed header, whatever case this client used."""
        config = _CONFIG_OF_DEVICE.fullmatch(name)
        return f"SEP{config[1].upper()}.cnf.xml" if config else "XMLDefault.cnf.xml"

    def _sign(self, name: str, body: bytes, snapshot: ClusterSnapshot, changed: datetime | None = None) -> bytes:
        return sign_file(
            name,
            body,
            signer=SigningKey.of(self._signer.certificate, self._signer.private_key),
            digest=read_digest(snapshot.parameter(FILE_SIGNATURE)),
            timestamp=int((changed or snapshot.configured_at).timestamp()),
        )

    def _own_list(self, name: str, snapshot: ClusterSnapshot) -> bytes | None:
        """A trust list that an operator put into the TFTP directory for one phone; it overrides the generated one."""
        folder = snapshot.definition.tftp_directory
        found = _find(Path(folder), name) if folder is not None else None
        if found is None:
            return None
        self._trace.emit("own_list_served", file=name)
        return _load(found)

    def _beside(self, name: str, snapshot: ClusterSnapshot) -> bytes | None:
        """A file that phones ask for beside their configuration; None when the name is none of those."""
        found = named_file(snapshot.definition, name.removesuffix(_SIGNED))
        if found is None or not name.endswith(_SIGNED):
            return found.data if found else None
        return self._sign(found.name + _SIGNED, found.data, snapshot)

    def _from_directory(self, name: str, snapshot: ClusterSnapshot) -> bytes | None:
        """A file of the TFTP directory, as it is, signed, or without its signature; None when there is none."""
        folder = snapshot.definition.tftp_directory
        if folder is None:
            return None
        root = Path(folder)
        found = _find(root, name)
        if found is not None:
            return _load(found)
        if name.lower().endswith(_SIGNED):
            plain = _find(root, name[: -len(_SIGNED)])
            if plain is not None:
                relative = plain.relative_to(root).as_posix()
                return self._sign(relative + _SIGNED, _load(plain), snapshot)
        else:
            signed = _find(root, name + _SIGNED)
            if signed is not None:
                self._trace.emit("signature_stripped", file=name)
                try:
                    return decode_signed_file(_load(signed)).body
                except WireError as error:
                    raise Refusal(_NOT_FOUND, f"{name}{_SIGNED} is no signed file: {error}") from error
        return None

    def _cache_list(self, snapshot: ClusterSnapshot, endpoints: Endpoints) -> bytes:
        """One file a line: name, blank, size of its unsigned form."""
        names = [f"{device}.cnf.xml" for device in sorted(snapshot.devices)]
        if read_bool(snapshot.parameter(AUTO_REGISTRATION)):
            names.append("XMLDefault.cnf.xml")
        lines = []
        for name in names:
            data = self._plain(name.lower(), snapshot, endpoints) or b""
            lines.append(f"{name}{_SIGNED}\t{len(data)}\n")
        ctl = ctl_of(snapshot, self._node)
        lists = [f"{CTL_FILE}\t{len(ctl)}\n"] if ctl is not None else []
        return "".join([*lists, f"{ITL_FILE}\t{len(build_itl(snapshot, self._node))}\n", *lines]).encode()


class _Showing:
    """A `FileSource` for one client."""

    def __init__(self, files: PhoneFiles, certificate: Certificate) -> None:
        self._files, self._certificate = files, certificate

    def read(self, name: str, peer: str, transport: str) -> bytes:  # noqa: ARG002 - see `PhoneFiles.read`
        return self._files.read_for(name, transport, self._certificate)


def _changed(name: str, snapshot: ClusterSnapshot) -> datetime | None:
    """When a device's configuration last changed; None for another name."""
    config = _CONFIG_OF_DEVICE.fullmatch(name)
    device = snapshot.devices.get(f"SEP{config[1].upper()}") if config else None
    return changed_at(snapshot, device) if device else None


def _find(root: Path, name: str) -> Path | None:
    """The file below `root` of that name in any case; links that lead outside do not count."""
    here = root
    try:
        for part in name.split("/"):
            exact = here / part
            if not exact.exists():
                match = next((item for item in here.iterdir() if item.name.lower() == part.lower()), None)
                if match is None:
                    return None
                exact = match
            here = exact
        inside = here.resolve().is_relative_to(root.resolve())
        return here if inside and here.is_file() else None
    except (OSError, RuntimeError):  # too long a name, links in a circle, a folder that is none
        return None


def _load(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_STATIC_SIZE:
            raise Refusal(_ACCESS_VIOLATION, f"{path.name} is larger than {MAX_STATIC_SIZE} bytes")
        return path.read_bytes()
    except OSError as error:
        raise Refusal(_ACCESS_VIOLATION, f"{path.name} cannot be read: {error.strerror}") from error
