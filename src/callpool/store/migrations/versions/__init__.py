"""The revisions. Each names the one before it; the last one is `callpool.store.schema.HEAD`."""
