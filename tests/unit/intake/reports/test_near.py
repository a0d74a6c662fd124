import pytest

from services.intake.reports.near import metres_between


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((110.9886, 35.0318), (110.9886, 35.0318), 0.0),
        ((0.0, 0.0), (0.0, 1.0), 111_195.0),
        ((0.0, 60.0), (1.0, 60.0), 55_595.0),
        ((179.9995, 0.0), (-179.9995, 0.0), 111.2),
    ],
)
def test_the_distance_on_the_ground(one, other, metres):
    assert metres_between(*one, *other) == pytest.approx(metres, rel=1e-3, abs=0.01)
