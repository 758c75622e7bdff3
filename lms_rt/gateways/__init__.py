"""Ways out of the house: servers of others that are spoken to over the network. What is sent, and to whom, services know."""
