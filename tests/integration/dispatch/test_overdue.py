"""What is told when a deadline passes: on the dot nothing, a second later once."""

from datetime import datetime


def test_missed_deadline_is_told_once_and_not_on_the_dot(dispatch, intake, clock):
    clock("2023-09-14T19:00:00+08:00")
    case_no = dispatch.case_of(intake.accept(received_at="2023-09-14T19:00:00+08:00"))["case_no"]
    neighbour = dispatch.case_of(intake.accept(received_at="2023-09-14T18:59:59+08:00"))["case_no"]
    clock("2023-09-14T21:00:00+08:00")
    dispatch.soon(lambda: dispatch.told(neighbour, "case.overdue.v1"))  # the sweep has been here
    assert dispatch.told(case_no, "case.overdue.v1") == []
    clock("2023-09-14T21:00:01+08:00")
    (told,) = dispatch.soon(lambda: dispatch.told(case_no, "case.overdue.v1"))
    assert (told["stage"], told["lead"], told["overdue_seconds"]) == ("handle", "power", 1)
    assert datetime.fromisoformat(told["deadline"]) == datetime.fromisoformat("2023-09-14T21:00:00+08:00")
    clock("2023-09-14T23:00:00+08:00")
    later = dispatch.case_of(intake.accept(received_at="2023-09-14T20:00:00+08:00"))["case_no"]
    dispatch.soon(lambda: dispatch.told(later, "case.overdue.v1"))
    assert len(dispatch.told(case_no, "case.overdue.v1")) == 1
    case = dispatch.get(f"/v1/cases/{case_no}")
    assert [clock["stage"] for clock in case["clocks"] if clock["overdue_at"]] == ["handle"]
    history = dispatch.get(f"/v1/cases/{case_no}/history")["items"]
    assert [line["op"] for line in history] == ["file", "dispatch", "overdue"]


def test_late_check_and_unclaimed_pool_are_told_too(dispatch, intake, clock):
    clock("2023-09-14T10:00:00+08:00")
    received = "2023-09-14T10:00:00+08:00"
    case_no = dispatch.case_of(intake.accept(received_at=received))["case_no"]
    dispatch.do(case_no, "claim", "power-1")
    dispatch.do(case_no, "start", "power-1")
    dispatch.do(case_no, "assist_done", "estate-1", result="已警戒")
    dispatch.do(case_no, "feedback", "power-1", result="已敲除")
    dispatch.do(case_no, "send_check", "operator-1", checker="checker-1")
    clock("2023-09-14T10:30:01+08:00")  # an emergency is checked within half an hour
    (told,) = dispatch.soon(lambda: dispatch.told(case_no, "case.overdue.v1"))
    assert told["stage"] == "check"


def test_many_missed_deadlines_are_all_told_the_oldest_first(dispatch, intake, clock):
    clock("2023-03-01T08:00:00+08:00")
    codes = [intake.accept(received_at=f"2023-03-01T07:{minute:02d}:00+08:00") for minute in range(59, 9, -1)]
    numbers = [dispatch.case_of(code)["case_no"] for code in codes]
    clock("2023-03-02T08:00:00+08:00")
    listed = (
        "SELECT subject FROM outbox WHERE type = 'case.overdue.v1' AND subject = ANY(:numbers) ORDER BY id"
    )
    dispatch.soon(lambda: len(dispatch.rows(listed, numbers=numbers)) == len(numbers))
    assert [row.subject for row in dispatch.rows(listed, numbers=numbers)] == numbers[::-1]
