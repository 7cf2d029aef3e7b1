"""Values and differences as text."""

from __future__ import annotations

from rehearsal.engine.values import (
    ARCHIVE_SIGNATURE,
    REFERENCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN_TEXT,
)
from rehearsal.engine.valuetext import difference_lines, hide, property_lines


def test_signed_values_become_words_and_internal_members_vanish() -> None:
    values = hide(
        {
            "secret": {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": "[secret]"},
            "later": UNKNOWN_TEXT,
            "files": {SIGNATURE_KEY: ARCHIVE_SIGNATURE, "hash": "0123456789"},
            "other": {SIGNATURE_KEY: REFERENCE_SIGNATURE, "urn": "urn:x", "id": ""},
            "__defaults": [],
        }
    )

    assert property_lines(values, indent=4) == [
        "    files : archive(0123456)",
        "    later : [unknown]",
        '    other : "urn:x"',
        "    secret: [secret]",
    ]


def test_nested_values_open_and_close_on_lines_of_their_own() -> None:
    assert property_lines({"a": {"b": [1, None]}, "e": []}, indent=4, symbol="+") == [
        "  + a: {",
        "      + b: [",
        "          + [0]: 1",
        "          + [1]: <null>",
        "        ]",
        "    }",
        "  + e: []",
    ]


def test_difference_names_what_was_added_removed_and_changed() -> None:
    old = {"same": 1, "gone": "x", "text": "a", "map": {"k": 1, "l": 2}, "list": [1, 2]}
    new = {"same": 1, "new": True, "text": "b", "map": {"k": 1, "l": 3}, "list": [1, 2, 3]}

    assert difference_lines(old, new, indent=4) == [
        '  - gone: "x"',
        "  ~ list: [",
        "      + [2]: 3",
        "    ]",
        "  ~ map : {",
        "      ~ l: 2 => 3",
        "    }",
        "  + new : true",
        '  ~ text: "a" => "b"',
    ]
    assert difference_lines(old, old, indent=4) == []
    assert difference_lines({"a": 1}, {"a": 1}, indent=4, same=True) == ["    a: 1"]


def test_value_of_another_kind_is_shown_whole_on_both_sides() -> None:
    assert difference_lines({"a": {"b": 1}}, {"a": "text"}, indent=4) == [
        "  ~ a: {",
        "      ~ b: 1",
        '    } => "text"',
    ]
