"""Parts of money that sum up to the whole: taxes, discounts, and what of a refund was tax. Whole minor units, nothing else.

Three rules, and no others. A share in percent is rounded half up. A whole that is divided goes by the largest remainder: each
part is rounded down, and the units left over go to the largest remainders, the first of equals first. What is paid back in
pieces has its part, half up, of the sum of all pieces so far, less what came before: the last piece makes it exact.
"""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.contracts.money import exponent, is_known

WHOLE = 10_000
"""A hundred percent, in hundredths of a percent."""
_THREE_PLACES = 3


def share_of(amount: int, basis_points: int, *, step: int = 1) -> int:
    """So many hundredths of a percent of an amount, half up to a multiple of `step`."""
    return (2 * amount * basis_points + WHOLE * step) // (2 * WHOLE * step) * step


def divided(amount: int, weights: Sequence[int]) -> list[int]:
    """The amount in parts as the weights are, to the unit. Weights of nothing but zeros give it all to the first."""
    total = sum(weights)
    if total == 0:
        return [amount, *([0] * (len(weights) - 1))]
    parts = [amount * weight // total for weight in weights]
    remainders = [amount * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: (-remainders[place], place))
    for place in order[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def tax_within(amount: int, basis_points: int) -> int:
    """The tax that an amount holds already."""
    return divided(amount, (WHOLE, basis_points))[1]


def part_of(whole: int, part: int, of: int) -> int:
    """`whole` × `part` ÷ `of`, half up; all of it for all, so that parts never leave a rest behind. Nothing of nothing."""
    return 0 if of <= 0 else (2 * whole * part + of) // (2 * of)


def step_of(amount: int, currency: str) -> int:
    """To which units a price is rounded. Of three places many banks know two and a half: what begins even stays even."""
    has_three = is_known(currency) and exponent(currency) == _THREE_PLACES
    return 10 if has_three and amount % 10 == 0 else 1
