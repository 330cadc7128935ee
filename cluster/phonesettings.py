"""What an administrator defines for phones beside their configurations: rings, dial rules, soft keys, locales.

Each kind has something built in, which a definition of the same name replaces, so that a cluster without a word about
them serves every file that its phones ask for. The contents of what is built in are ours; the tones are those of North
America, the names of soft keys and call states UCM's.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import AfterValidator, Field

from cluster.modelbase import Model, ShortText, Text, printable
from wire.dialtemplate import MAX_PATTERNS, MAX_TIMEOUT_S
from wire.phonetexts import MAX_HZ, MAX_MS
from wire.ringlist import MAX_RING_TEXT

STANDARD_USER, DEFAULT_RULES = "Standard User", "Default"
ENGLISH, UNITED_STATES = "English_United_States", "United_States"


def _no_blanks_around(text: str) -> str:
    if not text or text != text.strip():
        raise ValueError(f"{text!r} is empty or has blanks around it")
    return text


Word = Annotated[Text, AfterValidator(_no_blanks_around)]
RingText = Annotated[str, Field(max_length=MAX_RING_TEXT), AfterValidator(printable), AfterValidator(_no_blanks_around)]
LocaleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
"""It is the name of a folder, too."""
LocaleChoice = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{0,64}$")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,16}$")]
WordKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
CallState = Literal[
    "On Hook",
    "Connected",
    "On Hold",
    "Ring In",
    "Off Hook",
    "Connected Transfer",
    "Digits After First",
    "Connected Conference",
    "Ring Out",
    "Off Hook With Feature",
    "Remote In Use",
]


class Ring(Model):
    """An entry of the ring list; the sound itself lies in the TFTP directory, if anywhere."""

    name: RingText
    file: Annotated[str, Field(max_length=MAX_RING_TEXT, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class SoftKeyTemplate(Model):
    """Soft keys by call state, from left to right."""

    name: Word
    keys: dict[CallState, Annotated[tuple[Key, ...], Field(max_length=16)]]


class DialPattern(Model):
    """A pattern of digits, see `wire.dialtemplate`."""

    match: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
    timeout_s: Annotated[int, Field(ge=0, le=MAX_TIMEOUT_S)] = 0
    user: Literal["phone", "ip"] = "phone"


class DialRules(Model):
    """Patterns, the first ones first."""

    name: Word
    patterns: Annotated[tuple[DialPattern, ...], Field(max_length=MAX_PATTERNS)]


class UserLocale(Model):
    """The words of a phone's screen in one language."""

    name: LocaleName
    words: Annotated[dict[WordKey, Text], Field(max_length=1000)] = {}  # noqa: RUF012 - pydantic copies defaults


class Tone(Model):
    """A tone that the phone plays by itself, see `wire.phonetexts`."""

    name: Annotated[ShortText, AfterValidator(_no_blanks_around)]
    frequencies_hz: Annotated[tuple[Annotated[int, Field(ge=1, le=MAX_HZ)], ...], Field(min_length=1, max_length=4)]
    cadence_ms: Annotated[tuple[Annotated[int, Field(ge=1, le=MAX_MS)], ...], Field(max_length=16)] = ()


class NetworkLocale(Model):
    """The tones of one country."""

    name: LocaleName
    tones: Annotated[tuple[Tone, ...], Field(max_length=64)] = ()


BUILT_IN_RINGS = (Ring(name="Chirp1", file="Chirp1.rwb"), Ring(name="Chirp2", file="Chirp2.rwb"))
BUILT_IN_SOFT_KEYS = (
    SoftKeyTemplate(
        name=STANDARD_USER,
        keys={
            "On Hook": ("Redial", "NewCall", "CFwdALL"),
            "Connected": ("Hold", "EndCall", "Trnsfer", "Confrn"),
            "On Hold": ("Resume", "NewCall"),
            "Ring In": ("Answer", "iDivert"),
            "Off Hook": ("Redial", "EndCall", "CFwdALL"),
            "Ring Out": ("EndCall",),
        },
    ),
)
BUILT_IN_DIAL_RULES = (DialRules(name=DEFAULT_RULES, patterns=(DialPattern(match="*", timeout_s=15),)),)
BUILT_IN_USER_LOCALES = (
    UserLocale(
        name=ENGLISH,
        words={"Redial": "Redial", "NewCall": "New Call", "EndCall": "End Call", "Hold": "Hold", "Resume": "Resume"},
    ),
)
BUILT_IN_NETWORK_LOCALES = (
    NetworkLocale(
        name=UNITED_STATES,
        tones=(
            Tone(name="dial", frequencies_hz=(350, 440)),
            Tone(name="busy", frequencies_hz=(480, 620), cadence_ms=(500, 500)),
            Tone(name="reorder", frequencies_hz=(480, 620), cadence_ms=(250, 250)),
            Tone(name="ringback", frequencies_hz=(440, 480), cadence_ms=(2000, 4000)),
        ),
    ),
)


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


_Named = TypeVar("_Named", bound=_HasName)


def find(name: str, defined: tuple[_Named, ...], built_in: tuple[_Named, ...]) -> _Named | None:
    """What has this name, in any case; a definition goes before what is built in."""
    return next((item for item in (*defined, *built_in) if item.name.lower() == name.lower()), None)
