from dataclasses import replace
from datetime import UTC, datetime

from services.points.members.model import Member, MemberStatus, changes

NOW = datetime(2025, 9, 14, tzinfo=UTC)
ANN = Member("ann", "village", "branch", MemberStatus.FORMAL, "140105100901")
BO = replace(ANN, person_id="bo")


def test_list_that_says_the_same_changes_nothing():
    assert changes({"ann": ANN, "bo": BO}, [BO, ANN], NOW) == []


def test_new_changed_and_missing_members_are_told_apart():
    mobile = replace(ANN, status=MemberStatus.MOBILE)
    saved = changes({"ann": ANN, "bo": BO}, [mobile, replace(ANN, person_id="cy")], NOW)
    assert {member.person_id: (member.status, member.left_at) for member in saved} == {
        "ann": (MemberStatus.MOBILE, None),
        "cy": (MemberStatus.FORMAL, None),
        "bo": (MemberStatus.FORMAL, NOW),
    }


def test_member_who_left_stays_gone_until_listed_again():
    gone = replace(ANN, left_at=NOW)
    assert changes({"ann": gone}, [], NOW) == []
    assert changes({"ann": gone}, [ANN], NOW) == [ANN]
