"""The state machine of money as drawings and tables, made from `lms_rt/services/payments/states.py`."""

from __future__ import annotations

from lms_rt.services.payments.states import MACHINES, Machine


def states() -> str:
    """All machines."""
    return "\n".join(_drawn(machine) for machine in MACHINES)


def _drawn(machine: Machine) -> str:
    arrows = [f"    {before} --> {after}: {event}" for (before, event), after in machine.table.items()]
    drawing = ["```mermaid", "stateDiagram-v2", f"    [*] --> {machine.initial}", *arrows, "```"]
    rows = [f"| {event} | {words} | {', '.join(_edges(machine, event))} |" for event, words in machine.events.items()]
    table = ["| event | what happened | from → to |", "| --- | --- | --- |", *rows]
    return "\n".join([f"### {machine.name.capitalize()}", "", *drawing, "", *table, ""])


def _edges(machine: Machine, event: str) -> list[str]:
    return [f"{before} → {after}" for (before, its), after in machine.table.items() if its == event]
