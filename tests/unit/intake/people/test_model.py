import pytest

from services.intake.people.model import Contact, RoleAssignment, is_somebody_else, role_changes

OWN = Contact("何庚辰", "19900000111", "he@mail.example")


@pytest.mark.parametrize(
    ("given", "is_else"),
    [
        (Contact(), False),
        (Contact("何庚辰"), False),
        (Contact("别人"), True),
        (Contact("何", "19900000111"), False),
        (Contact("何庚辰", "19900000999"), True),
        (Contact(None, None, "he@mail.example"), False),
        (Contact(None, None, "she@mail.example"), True),
    ],
)
def test_a_contact_that_is_not_the_persons_own_is_somebody_elses(given, is_else):
    assert is_somebody_else(given, OWN) is is_else


def test_roles_given_up_and_taken_up():
    kept = RoleAssignment("w1", "grid_worker", "14080200299900100", None)
    left = RoleAssignment("w1", "rider", "140802002999", None)
    new = RoleAssignment("w1", "unit_contact", "140802002999", "power")
    assert role_changes({kept, left}, {kept, new}) == ([left], [new])
