"""Reading what models write: the contract of `camelid_answer_formats`, and what its parsers are made of."""
