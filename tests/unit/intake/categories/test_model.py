import pytest

from services.intake.categories.model import Category, classify, urgency


def a_category(code, position, *keywords, level=None):
    return Category("here", code, position, code, keywords, level, is_on_spot=False)


GAS = a_category("E0502", 0, "燃气味", level="emergency")
WALL = a_category("E0596", 1, "墙体脱落", "掉砖", level="emergency")
CRACK = a_category("E0183", 2, "墙体", level="high")
ASK = a_category("G0201", 3, "请问")
ALL = (ASK, CRACK, WALL, GAS)


def code_of(given, words):
    found = classify(given, words, ALL, "G0201")
    return found.code if found else None


@pytest.mark.parametrize(
    ("given", "words", "code"),
    [
        ("E0183", "燃气味", "E0183"),
        (None, "楼道有燃气味，墙体脱落", "E0502"),
        (None, "墙体脱落", "E0596"),
        (None, "墙体有问题", "E0183"),
        (None, "什么都没有", "G0201"),
        ("X9999", "燃气味", None),
    ],
)
def test_the_given_category_then_the_first_keyword_by_priority_then_the_default(given, words, code):
    assert code_of(given, words) == code


@pytest.mark.parametrize(
    ("given", "category", "urgent"),
    [
        ("none", ASK, "none"),
        ("high", ASK, "high"),
        ("emergency", ASK, "emergency"),
        ("none", CRACK, "high"),
        ("high", CRACK, "high"),
        ("emergency", CRACK, "emergency"),
        ("none", WALL, "emergency"),
        ("high", WALL, "emergency"),
        ("emergency", WALL, "emergency"),
    ],
)
def test_the_category_raises_the_urgency_and_never_lowers_it(given, category, urgent):
    assert urgency(given, category) == urgent
