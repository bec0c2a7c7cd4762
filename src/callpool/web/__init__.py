"""The caller page and the API that starts calls."""
