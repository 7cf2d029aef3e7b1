"""Where sessions live and when they end."""

from __future__ import annotations

from rehearsal.cloud.fleets.instance import Instance, InstanceSpec
from rehearsal.cloud.runtime import sessions
from rehearsal.cloud.runtime.sessions import Sessions, expiry_from_text

EXPIRY = "2026-01-31T10:00:00Z"
SECONDS = 1_769_853_600.0


def an_instance() -> Instance:
    spec = InstanceSpec(
        instance_id="i",
        endpoint_name="e",
        config_name="c",
        variant_name="v",
        fleet_id="f",
        model=None,
        definition={},
    )
    return Instance(spec=spec)


def test_a_session_is_found_until_it_expires() -> None:
    now = [SECONDS - 1]
    opened, instance = Sessions(lambda: now[0]), an_instance()

    opened.opened("e", f"s-1; Expires={EXPIRY}", variant_name="v", instance=instance)
    before = opened.find("e", "s-1")
    now[0] = SECONDS
    after = opened.find("e", "s-1")

    assert before is not None
    assert (before.instance, before.variant_name) == (instance, "v")
    assert after is None
    assert opened.find("other", "s-1") is None


def test_what_is_no_announcement_opens_no_session() -> None:
    opened = Sessions(lambda: 0.0)

    for text in ("s-1", "s-1; Expires=soonZ", f"a b; Expires={EXPIRY}"):
        opened.opened("e", text, variant_name="v", instance=an_instance())

    assert opened.find("e", "s-1") is None
    assert opened.find("e", "a b") is None


def test_of_too_many_sessions_the_oldest_goes() -> None:
    opened = Sessions(lambda: 0.0)

    for number in range(sessions.MAXIMUM_SESSIONS + 1):
        text = f"s{number}; Expires={EXPIRY}"
        opened.opened("e", text, variant_name="v", instance=an_instance())

    assert opened.find("e", "s0") is None
    assert opened.find("e", "s1") is not None


def test_an_expiry_is_read_as_utc() -> None:
    assert expiry_from_text(EXPIRY) == SECONDS
    assert expiry_from_text("tomorrow") is None
