"""`callpool bench`: how fast the service mends itself, measured on real parts."""
