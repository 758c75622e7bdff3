"""Where the pages about money are looked at, and what their forms send, for the walk over pages."""

from __future__ import annotations

from collections.abc import Mapping

MONEY_PATHS: Mapping[str, str] = {
    r"/checkout/([^/]+)/?": "/checkout/{sold_id}",
    r"/plans/?": "/plans",
    r"/payments/?": "/payments",
    r"/payments/orders/([^/]+)/?": "/payments/orders/{order_id}",
    r"/payments/orders/([^/]+)/pay": "",
    r"/payments/orders/([^/]+)/([a-z]+)": "",
    r"/payments/subscriptions/([^/]+)/([a-z]+)": "",
    r"/admin/payments/?": "/admin/payments",
    r"/admin/payments/all/?": "/admin/payments/all",
    r"/admin/payments/findings/?": "/admin/payments/findings",
    r"/admin/payments/orders/([^/]+)/?": "/admin/payments/orders/{order_id}",
    r"/admin/payments/plans/?": "/admin/payments/plans",
    r"/admin/payments/coupons/?": "/admin/payments/coupons",
    r"/admin/payments/taxes/?": "/admin/payments/taxes",
}
"""By the rows of the table of pages."""
MONEY_FORMS: Mapping[str, tuple[Mapping[str, str], str]] = {
    r"/checkout/([^/]+)/?": ({"by": "nobody:none"}, ""),
    r"/plans/?": ({"plan_id": "pln_none", "gateway": "nobody"}, ""),
    r"/payments/orders/([^/]+)/pay": ({}, "/payments/orders/{order_id}/pay"),
    r"/payments/orders/([^/]+)/([a-z]+)": ({}, "/payments/orders/{order_id}/look"),
    r"/payments/subscriptions/([^/]+)/([a-z]+)": ({}, "/payments/subscriptions/{subscription_id}/cancel"),
    r"/admin/payments/findings/?": ({"finding_id": "dispute:none", "note": ""}, ""),
    r"/admin/payments/orders/([^/]+)/?": ({"payment_id": "{payment_id}", "amount": "nothing"}, ""),
    r"/admin/payments/plans/?": ({"plan_name": ""}, ""),
    r"/admin/payments/coupons/?": ({"code": ""}, ""),
    r"/admin/payments/taxes/?": ({"country": "EG", "tax_name": "", "rate": ""}, ""),
}
"""Fields, and below which address if not the page's own: mostly what is refused, since the right to send is looked at."""
