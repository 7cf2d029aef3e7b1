from enum import StrEnum

import pytest

from components.setting_reader import SettingReader


class Fruit(StrEnum):
    APPLE = "apple"
    PEAR = "pear"


def reader_of(**values: object) -> SettingReader:
    return SettingReader(values, "garden:", [])


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), ("-3", -3)])
def test_integer_may_come_as_text(value: object, number: int) -> None:
    assert reader_of(trees=value).integer("trees", minimum=-5) == number


@pytest.mark.parametrize("value", [True, 3.0, "3.0", "three", "", [3], "9" * 16])
def test_anything_else_is_no_integer(value: object) -> None:
    reader = reader_of(trees=value)

    assert reader.integer("trees", minimum=0, maximum=9, unit="of trees") is None
    (problem,) = reader.problems
    assert problem.startswith("garden:trees is ")
    assert problem.endswith("give a whole number of trees from 0 to 9")


def test_bound_without_a_maximum_is_told_as_such() -> None:
    reader = reader_of(trees=0)

    reader.integer("trees", minimum=1)

    assert reader.problems == ["garden:trees is 0; give a whole number of at least 1"]


def test_value_left_out_is_nothing_and_no_problem() -> None:
    reader = reader_of()

    assert reader.text("name") is None
    assert reader.integer("trees", minimum=1) is None
    assert reader.boolean("open", default=True) is True
    assert reader.choice("fruit", Fruit, default=Fruit.PEAR) is Fruit.PEAR
    assert reader.section("shed") is None
    assert reader.texts_by_name("labels") == {}
    assert reader.problems == []


def test_choice_tells_the_words_allowed() -> None:
    reader = reader_of(fruit="plum")

    reader.choice("fruit", Fruit, default=Fruit.PEAR)

    assert reader.problems == ["garden:fruit is 'plum'; give one of apple, pear"]


def test_section_shares_problems_and_names_its_keys_in_full() -> None:
    reader = reader_of(shed='{"doors": "no"}')

    section = reader.section("shed")
    assert section is not None
    section.integer("doors", minimum=0)

    assert reader.problems == ["garden:shed.doors is 'no'; give a whole number of at least 0"]


def test_section_that_is_no_object_is_refused() -> None:
    reader = reader_of(shed="[1", barn="[1]")

    assert reader.section("shed") is None
    assert reader.section("barn") is None
    assert [problem.split(";")[0] for problem in reader.problems] == [
        "garden:shed is '[1'",
        "garden:barn is [1]",
    ]


def test_unknown_key_lists_what_exists_when_nothing_is_near() -> None:
    reader = reader_of(zzz=1)
    reader.text("name")
    reader.boolean("open", default=False)

    reader.refuse_unknown()

    assert reader.problems == ["garden:zzz is not a setting; the settings here are name, open"]
