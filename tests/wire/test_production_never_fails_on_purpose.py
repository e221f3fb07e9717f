"""Chaos rules and failing addresses are the sandbox's: elsewhere there are no calls for them, and rules do nothing."""

from tests.postgres import Databases, LoopThread
from tests.wire.live import Unit, running_api


def test_rules_left_in_the_database_do_nothing_in_production(
    embedded_databases: Databases, server_loop: LoopThread
) -> None:
    dsn = embedded_databases.create()
    with running_api(dsn, server_loop, delivery="relay", relay="smtp://127.0.0.1:9") as api:
        api.execute('insert into chaos_rule (rule) values (\'{"status": 500, "share": 1.0}\')')
        unit: Unit = api.unit(7_900_001)
        for method, path in (("GET", "chaos"), ("PUT", "chaos"), ("DELETE", "chaos"), ("POST", "retry")):
            assert unit.call(method, f"/sandbox/{path}").status_code == 404
        assert unit.call("GET", "/messaging/v1/email/definitions").status_code == 200
        (row,) = api.rows("select matched from chaos_rule")
        assert row["matched"] == 0
        listening = "select count(*) as listening from pg_stat_activity where application_name like 'postroom chaos%'"
        (row,) = api.rows(listening + " and datname = current_database()")
        assert row["listening"] == 0
    embedded_databases.drop(dsn)
