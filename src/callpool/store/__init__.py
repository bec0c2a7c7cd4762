"""Call records: what happened in a call, written turn by turn, in a SQLite file or in PostgreSQL."""
