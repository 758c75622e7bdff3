"""How mails look: templates, their words in both languages, values in the reader's timezone. How they leave is `gateways`'."""
