"""What --dry-run prints: every question with its answer, the verdict, and the step that would be taken. Pure."""

from dataclasses import dataclass

from plexguard.core.events import Tell
from plexguard.net_recover.decide import Plan
from plexguard.net_recover.ladder import make_patient
from plexguard.net_recover.network import Answer
from plexguard.net_recover.observe import Name, Observation
from plexguard.net_recover.steps import Command, make_commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """would: what would be told. step: the next step, "" for none. commands: of that step, in order."""

    seen: Observation
    verdict: str
    detail: str
    would: tuple[str, ...]
    step: str
    commands: tuple[Command, ...]
    would_ask_reboot: bool


def make_report(seen: Observation, plan: Plan) -> Report:
    return Report(
        seen=seen,
        verdict=plan.state.verdict.value,
        detail=plan.state.detail,
        would=tuple(_show_tell(tell) for tell in plan.tells),
        step=plan.step.value if plan.step is not None else "",
        commands=make_commands(plan.step, make_patient(seen, plan.state.verdict)) if plan.step is not None else (),
        would_ask_reboot=plan.ask_reboot,
    )


def _show_tell(tell: Tell) -> str:
    return f"{tell.event.name}: {tell.event.render(tell.values)}"


def render(report: Report) -> str:
    """Return the report as lines for people."""
    seen = report.seen
    rows = [("interface", _show_interface(seen)), ("gateway", _show_gateway(seen))]
    rows += [(address, _show_answers(seen, address)) for address in dict.fromkeys(a.target.address for a in seen.answers)]
    rows += [(name.name, _show_name(name)) for name in seen.names]
    rows += [("streams", seen.watching.value), ("verdict", f"{report.verdict} ({report.detail})")]
    rows += [("step", report.step or "none"), *(("", " ".join(command)) for command in report.commands)]
    rows += [("reboot", "would be asked for")] if report.would_ask_reboot else []
    rows += [("would tell", line) for line in report.would]
    return "\n".join(f"{head:<16} {text}".rstrip() for head, text in rows)


def _show_interface(seen: Observation) -> str:
    if seen.link is None:
        return "none"
    addresses = seen.addresses.found if seen.addresses is not None else ()
    states = ["carrier" if seen.link.carrier else "no carrier", *(addresses or ("no address",))]
    return f"{seen.interface} ({seen.link.kind}, held by {seen.held.by.value}): {', '.join(states)}"


def _show_gateway(seen: Observation) -> str:
    if seen.route is None:
        return "no default route"
    return f"{seen.route.gateway or 'none, the interface is the way'}: {seen.gateway.value}"


def _show_answers(seen: Observation, address: str) -> str:
    return ", ".join(_show_answer(answer) for answer in seen.answers if answer.target.address == address)


def _show_answer(answer: Answer) -> str:
    took = f"{answer.seconds * 1000:.0f} ms" if answer.seconds is not None else answer.reply.value
    return f"{answer.target.method}: {took}"


def _show_name(name: Name) -> str:
    found = ", ".join(name.addresses[:3]) or "does not resolve"
    return f"{found} ({name.seconds * 1000:.0f} ms)"
