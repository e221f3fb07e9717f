"""What cold statements run on: a pool, or one connection of it when they belong to a transaction."""

from typing import TypeAlias

from postroom.store import pool

Pool: TypeAlias = pool.Pool
Connection: TypeAlias = "pool.Connection | pool.PooledConnection"
Database: TypeAlias = "pool.Pool | pool.Connection | pool.PooledConnection"
