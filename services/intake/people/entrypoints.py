"""Questions about people."""

from typing import Any

from services.intake.people import store
from services.intake.people.schemas import PersonPage, PersonQuery
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

#: Roles whose work needs people's names.
NAMES_FOR = (
    "community_staff",
    "community_secretary",
    "grid_leader",
    "intake_operator",
    "dispatcher",
)


class PersonEntrypoints:
    """Lists the people."""

    @route("GET", "/v1/people", query=PersonQuery(), answer=PersonPage(), tag="directory")
    def list_people(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """People within one's areas with their roles; names only for those whose work needs them."""
        (after,) = key_of(ask.query["cursor"], 1) or [""]
        area = Area.parse(ask.query["area"]) if ask.query["area"] else None
        limit = ask.query["limit"]
        found = store.listed(tx, ask.who.areas, area, ask.query["role"], after, limit + 1)
        ids = [person.person_id for person in found]
        roles = store.roles_of(tx, ids)
        names = store.names_of(tx, ids) if ask.who.has_role(*NAMES_FOR) else {}
        rows = [
            {
                "person_id": person.person_id,
                "area": person.area,
                "unit_id": person.unit_id,
                "is_party_member": person.is_party_member,
                "roles": roles.get(person.person_id, []),
                **({"name": names[person.person_id]} if person.person_id in names else {}),
            }
            for person in found
        ]
        return page(rows, limit, lambda row: (row["person_id"],))
