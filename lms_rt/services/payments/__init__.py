"""Money: orders, checkouts, what gateways tell, refunds, subscriptions, and the access that follows from what was paid."""
