"""Coupons, tax rates and prices at the border. Amounts are whole minor units; percentages have two places. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    HundredthsIn,
    Identifier,
    Instant,
    Line,
    NewestFirst,
    PageQuery,
    Title,
    View,
)
from lms_rt.contracts.money import AmountIn, CountryIn, CurrencyIn

MAX_COURSES = 200
MAX_CURRENCIES = 50
MAX_USES = 1_000_000


def _once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


CouponCode = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{2,39}$")
]
"""3 to 40 of A-Z, 0-9, _ and -; small letters are taken for capitals."""
CodeIn = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
"""A code as somebody typed it; whether there is such a coupon is for the look-up to say."""
PercentOff = Annotated[HundredthsIn, Field(ge=1, le=10_000)]
CourseIds = Annotated[list[Identifier], Field(max_length=MAX_COURSES), AfterValidator(_once)]
Uses = Annotated[int, Field(ge=1, le=MAX_USES)]


class AmountOff(Draft):
    """So many minor units of this currency."""

    currency: CurrencyIn
    amount: AmountIn


def _each_once(amounts: list[AmountOff]) -> list[AmountOff]:
    if len({one.currency for one in amounts}) < len(amounts):
        raise PydanticCustomError("doubled", "Name each currency once")
    return amounts


AmountsOff = Annotated[list[AmountOff], Field(max_length=MAX_CURRENCIES), AfterValidator(_each_once)]
"""What is taken off, by currency."""


class CouponDraft(Draft):
    """A new coupon: `percent_off`, or `amounts_off`. Without `course_ids` it holds for every course."""

    code: CouponCode
    description: Line = ""
    percent_off: PercentOff | None = None
    amounts_off: AmountsOff = Field(default_factory=list)
    course_ids: CourseIds = Field(default_factory=list)
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    max_uses: Uses | None = None
    max_uses_per_user: Uses | None = 1
    is_active: bool = True

    @model_validator(mode="after")
    def _takes_something_off(self) -> CouponDraft:
        if (self.percent_off is None) != bool(self.amounts_off):
            raise PydanticCustomError("coupon", "Give percent_off or amounts_off, and one of them alone")
        return self


class CouponChange(Change):
    """A partial update. What a coupon takes off stays as it is: make another one. Orders that have it are not touched."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "code", "percent_off", "amounts_off", "uses", "version", "created_at", "updated_at"}
    )

    description: Line = ""
    course_ids: CourseIds = Field(default_factory=list)
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    max_uses: Uses | None = None
    max_uses_per_user: Uses | None = None
    is_active: bool = True


class AmountOffView(View):
    """So many minor units of this currency."""

    currency: str
    amount: int


class CouponView(View):
    """A coupon. `uses` are the orders that have it, those too that are not paid yet; what comes to nothing is given back."""

    id: str
    code: str
    description: str
    percent_off: Hundredths | None
    amounts_off: list[AmountOffView]
    course_ids: list[str]
    starts_at: Instant | None
    ends_at: Instant | None
    max_uses: int | None
    max_uses_per_user: int | None
    is_active: bool
    uses: int
    version: int
    created_at: Instant
    updated_at: Instant


class CouponQuery(PageQuery):
    """Coupons, the newest first."""

    is_active: bool | None = None
    code: CodeIn | None = None
    sort: NewestFirst = "-created_at"


class TaxRateDraft(Draft):
    """The rate of a country. `is_included`: prices hold it already; else it comes on top of them."""

    tax_name: Title
    rate: Annotated[HundredthsIn, Field(ge=0, le=10_000)]
    is_included: bool = True
    is_active: bool = True


class TaxRateView(View):
    """The rate of a country, in percent."""

    country: str
    tax_name: str
    rate: Hundredths
    is_included: bool
    is_active: bool
    version: int
    created_at: Instant
    updated_at: Instant


class TaxRateQuery(PageQuery):
    """Tax rates, by country."""


class PriceQuery(BaseModel):
    """Of what the price is asked: of a course, maybe with a coupon, or of a plan. `country` says whose tax holds."""

    model_config = ConfigDict(extra="ignore")

    course_id: Identifier | None = None
    plan_id: Identifier | None = None
    coupon_code: CodeIn | None = None
    country: CountryIn | None = None


class PriceView(View):
    """A price. `amount` is to be paid: `list_amount` less `discount_amount`, and the tax on top unless it is included."""

    course_id: str | None
    plan_id: str | None
    list_amount: int
    discount_amount: int
    coupon_code: str | None
    tax_name: str | None
    tax_rate: Hundredths
    tax_country: str | None
    tax_amount: int
    is_tax_included: bool
    amount: int
    currency: str
