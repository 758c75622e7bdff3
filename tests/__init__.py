"""The promises of the product, told as tests."""
