"""Function tools, and the business that they touch."""
