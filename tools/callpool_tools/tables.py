"""The business's tables. They share the call records' database, unless a setting says otherwise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

from callpool.store.tables import UtcTime

CENT = Decimal("0.01")


class _Numeric(UserDefinedType[Any]):
    """SQLite's own idea of a number: text that is one becomes one, so that queries can compare and add."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "NUMERIC(12, 2)"


class Usd(TypeDecorator[Decimal]):
    """US dollars and cents, exactly. SQLite has no decimals: it drops the zeros, which are put back here."""

    impl = Numeric(12, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_Numeric() if dialect.name == "sqlite" else Numeric(12, 2))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        exact = value.quantize(CENT)
        return str(exact) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value)).quantize(CENT)


class Words(TypeDecorator[str]):
    """Text, without what databases cannot keep: one such character in a model's argument would make a write
    fail however often it is tried."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.replace("\0", "").encode(errors="ignore").decode()


metadata = MetaData()

orders = Table(
    "orders",
    metadata,
    Column("order_number", Words, primary_key=True),
    Column("customer_name", Words, nullable=False),
    Column("phone", Words, nullable=False),
    Column("email", Words, nullable=False),
    Column("item", Words, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_usd", Usd, nullable=False),
    Column("status", Words, nullable=False),
    Column("carrier", Words, nullable=False),
    Column("eta", Words, nullable=False),
    Column("address", Words, nullable=False),
)
"""The columns of data/orders.csv. What is not known (a carrier, a date) is empty there and here."""

products = Table(
    "products",
    metadata,
    Column("item", Words, primary_key=True),
    Column("unit_price_usd", Usd, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_id", Words, nullable=False),
    Column("order_number", Words, nullable=False),
    Column("customer_name", Words, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("summary", Words, nullable=False),
    Column("language", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

directory = Table(
    "directory",
    metadata,
    Column("agent_id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("department", Words, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column("call_id", Words, primary_key=True),
    Column("agent_id", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("summary", Words, nullable=False),
    Column("language", Words, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("last_request", Words, nullable=False),
    Column("order_number", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""What a person needs to take a call over. An empty agent_id: whoever is free."""

writes = Table(
    "writes",
    metadata,
    Column("call_id", Words, nullable=False),
    Column("intent", Words, nullable=False),
    Column("caller_turns", Integer, nullable=False),
    Column("result", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("call_id", "intent", name="pk_writes"),
)
"""What calls have changed, each once: `intent` says which yes of the caller it was, `result` (JSON) what
came of it, `caller_turns` how often the caller had spoken by then."""
