"""How calls are counted per address."""

from __future__ import annotations

from callpool.web.rate import Rate


def test_addresses_are_counted_apart() -> None:
    """One caller's calls are not held against another."""
    rate = Rate(1, clock=lambda: 0.0)
    assert rate.admit("192.0.2.1") == 0
    assert rate.admit("192.0.2.2") == 0
    assert rate.admit("192.0.2.1") == 60


def test_an_ipv6_network_counts_as_one_address() -> None:
    """Whoever has one address of a /64 has them all."""
    rate = Rate(1, clock=lambda: 0.0)
    assert rate.admit("2001:db8::1") == 0
    assert rate.admit("2001:db8::ffff") > 0
    assert rate.admit("2001:db8:0:1::1") == 0


def test_an_ipv4_address_is_the_same_in_its_ipv6_form() -> None:
    """A dual-stack socket shows IPv4 callers as ::ffff:a.b.c.d: they are apart from each other, too."""
    rate = Rate(1, clock=lambda: 0.0)
    assert rate.admit("192.0.2.1") == 0
    assert rate.admit("::ffff:192.0.2.1") > 0
    assert rate.admit("::ffff:192.0.2.2") == 0


def test_memory_is_bounded() -> None:
    """The address that was quiet longest makes room; a busy one is not forgotten."""
    rate = Rate(1, clock=lambda: 0.0, addresses_kept=3)
    rate.admit("192.0.2.1")
    for last in range(2, 200):
        rate.admit(f"192.0.2.{last}")
        assert rate.admit("192.0.2.1") > 0
    assert len(rate) == 3
