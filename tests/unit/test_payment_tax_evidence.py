"""Where a buyer is, by all that is known of it: what counts first, and what speaks against the tax that was taken."""

from __future__ import annotations

import pytest

from lms_rt.services.payments.tax_evidence import evidence_of, is_contradicted


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ({}, False),
        ({"tax_country": "AT"}, False),
        ({"country": "AT", "tax_country": "AT", "card_country": "AT", "address_country": "AT"}, False),
        ({"country": "AT", "card_country": "FR"}, True),
        ({"country": "AT", "address_country": "FR"}, True),
        ({"card_country": "AT", "address_country": "FR"}, True),
        ({"tax_country": "AT", "card_country": "AT"}, False),
        ({"tax_country": "AT", "card_country": "FR"}, True),
        ({"tax_country": "AT", "address_country": "FR"}, True),
        ({"country": "FR", "tax_country": "AT", "card_country": "FR"}, False),
    ],
)
def test_of_who_says_nothing_the_country_whose_tax_was_taken_is_what_is_spoken_against(
    order: dict[str, str], wanted: bool
) -> None:
    assert is_contradicted(order) is wanted


def test_a_buyer_s_own_word_comes_first_and_what_is_not_known_is_left_out() -> None:
    order = {"address_country": "DE", "card_country": "FR", "country": "AT", "tax_country": "IT"}
    assert [tuple(one.values()) for one in evidence_of(order)] == [("buyer", "AT"), ("card", "FR"), ("address", "DE")]
    assert evidence_of({"country": None, "card_country": "", "tax_country": "IT"}) == []
