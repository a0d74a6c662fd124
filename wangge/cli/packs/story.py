"""What a story file says: incidents in the reporters' words, and who does what at which instant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from wangge.contracts.events.external import IncidentReported
from wangge.contracts.fields import PERSON_ID, instant, matching, text
from wangge.contracts.sites.base import Mistakes, Strict

COMMANDS = (
    "dispatch",
    "claim",
    "start",
    "assist_done",
    "feedback",
    "reject_feedback",
    "send_check",
    "check",
    "close",
    "close_on_spot",
    "reopen",
)


def check_incident(data: Mapping[str, Any]) -> None:
    """Marshmallow's question whether this is an incident; its instant is the story's `at`."""
    wrong = IncidentReported(unknown=RAISE, partial=("occurred_at",)).validate(dict(data))
    if wrong:
        raise ValidationError(wrong)


class Handling(Strict):
    """What those who handle it will say; used where the demo plays a case without exact steps."""

    result = text(500, required=True)
    reply = text(500, required=True)
    helpers = fields.List(matching(PERSON_ID), load_default=list)


class Told(Strict):
    """An incident: either an outside system publishes it, or a person reports it over HTTP."""

    publisher = text(40)
    person = matching(PERSON_ID)
    at = instant(required=True)
    data = fields.Dict(keys=fields.String(), required=True, validate=check_incident)
    handling = fields.Nested(Handling)

    @validates_schema(skip_on_field_errors=True)
    def check_teller(self, data: Mapping[str, Any], **_: Any) -> None:
        """Exactly one of the two tells it."""
        if ("publisher" in data) == ("person" in data):
            raise ValidationError("exactly one of publisher and person tells of it")


class Step(Strict):
    """At an instant: somebody reports, somebody does something with a case, or the story expects a state."""

    at = instant(required=True)
    report = text(60)
    who = matching(PERSON_ID)
    does = fields.String(validate=validate.OneOf(COMMANDS))
    case = text(60)
    with_ = fields.Dict(keys=fields.String(), data_key="with", load_default=dict)
    expects = text(60)
    is_ = fields.Dict(keys=fields.String(), data_key="is")
    receipt = text(20)
    replies = fields.Integer(validate=validate.Range(min=0))

    @validates_schema(skip_on_field_errors=True)
    def check_kind(self, data: Mapping[str, Any], **_: Any) -> None:
        """A step is of one kind and complete."""
        kinds = [kind for kind in ("report", "does", "expects") if kind in data]
        if len(kinds) != 1:
            raise ValidationError("a step either has report, or who does what to a case, or expects")
        if kinds == ["does"] and not {"who", "case"} <= data.keys():
            raise ValidationError("say who does it and to which case")
        if kinds == ["expects"] and not {"is_", "receipt", "replies"} & data.keys():
            raise ValidationError("say what is expected: is, receipt or replies")


class StorySchema(Schema):
    """A story that can be shown now, or replayed at its exact instants where the clock can be moved."""

    class Meta:
        unknown = RAISE

    title = text(120, required=True)
    summary = text(1000, required=True)
    incidents = fields.Dict(keys=text(60), values=fields.Nested(Told), required=True)
    samples = fields.List(text(60), load_default=list)
    steps = fields.List(fields.Nested(Step), load_default=list)

    @validates_schema(skip_on_field_errors=True)
    def check_names(self, data: Mapping[str, Any], **_: Any) -> None:
        """Steps name incidents that are told, in the order of time; samples can be handled."""
        mistakes = Mistakes()
        for i, name in enumerate(data["samples"]):
            mistakes.unknown("incident", name, data["incidents"], "samples", i)
        before = None
        for i, step in enumerate(data["steps"]):
            for key in ("report", "case", "expects"):
                mistakes.unknown("incident", step.get(key), data["incidents"], "steps", i, key)
            if before is not None and step["at"] < before:
                mistakes.add("is earlier than the step before", "steps", i, "at")
            before = step["at"]
        mistakes.raise_if_any()
