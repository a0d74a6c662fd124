import pytest

from services.intake.reports.masking import SUMMARY_CHARACTERS, mask, mask_address, summary


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("请打13812345678", "请打138****5678"),
        ("请打 138 1234 5678。", "请打 138****5678。"),
        ("请打+86-138-1234-5678", "请打138****5678"),
        ("电话0359-2023456", "电话0359****3456"),
        ("身份证140802199001011234", "身份证1408********1234"),
        ("身份证14080219900101123X，谢谢", "身份证1408********123X，谢谢"),
        ("老身份证140802900101123", "老身份证1408********1123"),
        ("订单20230914-0031，路灯12盏", "订单20230914-0031，路灯12盏"),
        ("案件1408022023091400001", "案件1408022023091400001"),
        ("两个号13812345678、13987654321", "两个号138****5678、139****4321"),
    ],
)
def test_personal_numbers_are_masked_and_others_are_left(said, masked):
    assert mask(said) == masked


def test_the_summary_is_the_title_or_the_first_words_masked_and_cut():
    assert summary("墙皮 13812345678", "别的") == "墙皮 138****5678"
    assert summary(None, "墙\n\n皮") == "墙 皮"
    assert len(summary(None, "墙" * 4000)) == SUMMARY_CHARACTERS
    assert summary("  ", "墙皮") == "…"


def test_a_number_at_the_cut_is_masked_before_it_is_cut():
    said = "墙" * 195 + "13812345678"
    assert "12345" not in summary(None, said)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("和顺里小区6号楼2单元301室", "和顺里小区6号楼"),
        ("和顺里小区 6 号楼", "和顺里小区 6 号楼"),
        ("电业局家属院北院门口", "电业局家属院北院门口"),
        ("槐荫巷12号三单元", "槐荫巷12号"),
        ("西街3-2-501", "西街"),
        ("301室", None),
    ],
)
def test_an_address_travels_down_to_the_building(address, masked):
    assert mask_address(address) == masked


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("我是钱女士，楼上漏水", "钱女士", "我是钱**，楼上漏水"),
        ("楼上漏水", "钱女士", "楼上漏水"),
        ("我是钱女士，楼上漏水", None, "我是钱女士，楼上漏水"),
    ],
)
def test_the_reporters_own_name_travels_no_further_than_its_surname(text, name, told):
    assert summary(None, text, name) == told
