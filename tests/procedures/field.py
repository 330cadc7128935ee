"""A cluster, its operator and a phone, for procedures told as tables of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.audit import Actor
from phone_sim.flash import MemoryFlash
from phone_sim.models import model
from phone_sim.namedfiles import KINDS
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from services.commandline.interpreter import Outcome
from tests.services.commandline_cast import Desk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phone_sim.reasons import Reason
    from phone_sim.report import BootReport
    from tests.conftest import Lab

PUB, SUB = "alpha-pub", "alpha-sub1"
OPERATOR = Actor("admin", "test")
CTL, ITL, CONFIG = "CTL", "ITL", "configuration"


@dataclass(frozen=True)
class Run:
    """The operator gives a command at a node and answers what it asks; it has to succeed."""

    command: str
    node: str = PUB
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Set:
    """The operator sets an enterprise parameter."""

    parameter: str
    value: str


@dataclass(frozen=True)
class Boot:
    """The phone is reset; these are its decisions on lists, configuration and servers, all of them.

    The files beside the configuration go with it: accepted for the same reason, or not asked for when it was refused.
    """

    decisions: Mapping[str, Reason]
    node: str = PUB

    def __init__(self, node: str = PUB, **decisions: Reason) -> None:
        names = {"ctl": CTL, "itl": ITL, "config": CONFIG, "server": "server"}
        object.__setattr__(self, "decisions", {names[key]: reason for key, reason in decisions.items()})
        object.__setattr__(self, "node", node)


@dataclass(frozen=True)
class Directory:
    """A user presses the directory key."""

    reason: Reason
    node: str = PUB


@dataclass(frozen=True)
class Erase:
    """Somebody walks to the phone and erases its trust lists."""


Step = Run | Set | Boot | Directory | Erase


class Field:
    """Carries out steps and checks what the phone makes of them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.flash = MemoryFlash()

    def phone(self, node: str = PUB) -> Phone:
        ports = self.lab.ports(node)
        server = TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)
        return Phone("001122334455", model("8865"), [server], self.flash)

    async def walk(self, *steps: Step) -> None:
        for number, step in enumerate(steps, 1):
            await self._take(step, f"step {number}, {step}")

    async def _take(self, step: Step, where: str) -> None:
        match step:
            case Run():
                await self._run(step, where)
            case Set(parameter, value):
                await self.lab.store.set_parameter(parameter, value, OPERATOR)
            case Boot():
                report = await self.phone(step.node).boot()
                assert _decisions(report) == dict(step.decisions), where
                config = step.decisions.get(CONFIG)
                with_it = {config} if config is not None and config.accepts else set()
                assert {item.reason for item in report.decisions if item.what in KINDS} == with_it, where
            case Directory(reason, node):
                ports = self.lab.ports(node)
                url = f"https://127.0.0.1:{ports.secure_web}/ccmcip/xmldirectory.jsp"
                opened = await self.phone().open_directory(url)
                assert opened.decision is not None, where
                assert opened.decision.reason is reason, (where, opened.decision)
            case Erase():
                self.phone().erase_trust_lists()

    async def _run(self, step: Run, where: str) -> None:
        desk = Desk(self.lab.store, step.node)
        desk.context.assume_yes = not step.answers
        shown = await desk(step.command, *step.answers)
        assert desk.outcome is Outcome.DONE, (where, shown)


def _decisions(report: BootReport) -> dict[str, Reason]:
    return {decision.what: decision.reason for decision in report.decisions if decision.what not in KINDS}
