"""Decides who acts next on a case of the demo, as the people of a community would: never two roles in one person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wangge.cli import packs
from wangge.cli.cast import Cast

STATES = {
    "filed": "已立案",
    "dispatched": "已派遣",
    "claimed": "已领单",
    "handling": "处置中",
    "suspended": "挂账",
    "handled": "已反馈",
    "checking": "核查中",
    "closed": "已结案",
    "archived": "已归档",
    "returned": "退单",
    "cancelled": "作废",
    "transferred": "移送",
    "forced_closed": "强制结案",
}
COMMANDS = {
    "claim": "领单",
    "start": "到场处置",
    "assist_done": "完成协办",
    "feedback": "反馈结果",
    "send_check": "送核查",
    "check": "核查",
    "close": "结案答复",
}

ASSISTED = "已到场协助。"
SEEN = "到场查看，问题已解决。"
RESULT = "已到场处置完毕。"
REPLY = "您反映的问题已办理完毕，感谢您的反映。"

ENDED = frozenset({"closed", "archived", "cancelled", "transferred", "forced_closed"})
#: Times that a person's act may be refused before the demo leaves the case as it is.
REFUSALS = 3


@dataclass(frozen=True)
class Act:
    """What somebody does next with a case."""

    who: str
    command: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Told:
    """An incident that was told, and what became of it."""

    name: str
    data: dict[str, Any]
    handling: Mapping[str, Any]
    publisher: str | None = None
    message_id: str = ""
    report_code: str | None = None
    outcome: str = "sent"
    of: str | None = None
    case: dict[str, Any] = field(default_factory=dict)
    refusals: int = 0
    acts: int = 0

    @property
    def case_no(self) -> str | None:
        """The number of its case, once it has one."""
        return self.case.get("case_no")

    @property
    def is_open(self) -> bool:
        """Whether something is left to do or to wait for."""
        return not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether nobody has anything left to do with it."""
        if self.outcome in ("merged", "duplicate", "rejected", "quarantined"):
            return True
        return self.case.get("state") in ENDED or self.refusals >= REFUSALS


class Moves:
    """The next move of each case, by the pack's catalogue."""

    def __init__(self, pack: packs.Pack, cast: Cast) -> None:
        dispatch = pack.parts["dispatch"].value
        self._site = pack.site
        self._cast = cast
        self._checkers: list[str] = dispatch["default_checkers"]
        self._catalogue: dict[str, dict[str, Any]] = {row["code"]: row for row in dispatch["categories"]}

    def category(self, code: str | None) -> str:
        """The name of a category."""
        return str(self._catalogue.get(code or "", {}).get("name", code or ""))

    def next(self, told: Told) -> Act | None:
        """Who does what next with the case of this incident; None when nobody has to."""
        handler = self._handler_of(told.case)
        if handler is None or told.is_over:
            return None
        state = told.case["state"]
        if state == "dispatched" or (state == "filed" and self._row(told.case).get("pool")):
            return Act(handler, "claim")
        if state == "claimed":
            return Act(handler, "start")
        if state == "handling":
            return self._assist(told.case) or Act(handler, "feedback", self._feedback(told))
        return self._finish(told, handler) if state in ("handled", "checking") else None

    def _assist(self, case: Mapping[str, Any]) -> Act | None:
        """An assist unit that still owes its part reports it; the lead cannot feed back before."""
        for part in case.get("assist", ()):
            if part["state"] in ("sent", "claimed"):
                contact = self._cast.find(["unit_contact"], unit=part["unit"])
                return Act(contact, "assist_done", {"result": ASSISTED}) if contact else None
        return None

    def _finish(self, told: Told, handler: str) -> Act | None:
        """Somebody else looks at it, then somebody else closes it."""
        case = told.case
        operator = self._cast.find(["intake_operator", "community_staff"], but=handler)
        if operator is None:
            return None
        if case["state"] == "handled" and self._row(case).get("needs_check", True):
            checker = self._checker_of(case, handler)
            return Act(operator, "send_check", {"checker": checker} if checker else {})
        if case["state"] == "checking" and not case.get("check_passed"):
            checker = case.get("checker") or self._checker_of(case, handler)
            return Act(checker, "check", {"result": "pass", "note": SEEN}) if checker else None
        return Act(operator, "close", {"reply": told.handling.get("reply", REPLY)})

    def _feedback(self, told: Told) -> dict[str, Any]:
        after = {"url": f"https://photos.example/{self._site}/{told.name}-after.jpg", "kind": "after"}
        result = told.handling.get("result", RESULT)
        return {"result": result, "evidence": [after], "helpers": list(told.handling.get("helpers", ()))}

    def _handler_of(self, case: Mapping[str, Any]) -> str | None:
        if not case:
            return None
        if case.get("handler"):
            return str(case["handler"])
        unit = case.get("lead") or next(iter(self._row(case).get("units_allowed", ())), None)
        return self._cast.find(["unit_contact"], unit=unit) if unit else None

    def _checker_of(self, case: Mapping[str, Any], handler: str) -> str | None:
        return self._cast.find(self._checkers, area=case["area"], but=self._cast.unit_of(handler) or handler)

    def _row(self, case: Mapping[str, Any]) -> dict[str, Any]:
        return self._catalogue.get(case.get("category", ""), {})
