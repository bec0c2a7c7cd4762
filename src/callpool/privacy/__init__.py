"""What may be kept of what a caller said."""
