"""A journal of what models did, without what was said."""
