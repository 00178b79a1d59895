"""The roles that docker/roles.sql makes in the Postgres of docker-compose.yml."""

import subprocess

import psycopg
from sqlalchemy import make_url

from relex.db.grants import Part
from relex.db.schema import latest_revision
from relex.embedded.layout import programs_folder
from relex.embedded.users import use
from relex.flows.database import upgrade
from relex.settings import Settings
from tests.processes import ROOT

ROLES = """
    SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$%', rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
    FROM pg_authid WHERE rolname LIKE 'relex%' ORDER BY rolname
"""
PRIVILEGES = """
    SELECT has_database_privilege(%(role)s, current_database(), 'CONNECT'),
        has_database_privilege(%(role)s, current_database(), 'CREATE'),
        has_database_privilege(%(role)s, current_database(), 'TEMP'),
        has_schema_privilege(%(role)s, 'public', 'CREATE')
"""


def test_the_roles_that_postgres_makes_are_enough_and_no_more(tmp_path):
    """roles.sql as the image of Postgres runs it, then what the service `migrate` runs."""
    passwords = {f"RELEX_{part}_PASSWORD": f"{part}-password" for part in ("OWNER", "WORKER", "CLIENT")}
    with use(tmp_path / "home") as url:
        at = make_url(url)
        psql = [programs_folder() / "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet"]
        where = [f"--host={at.query['host']}", f"--port={at.query['port']}", f"--username={at.username}"]
        command = [*psql, *where, f"--dbname={at.database}", f"--file={ROOT / 'docker' / 'roles.sql'}"]
        subprocess.run(command, env=passwords, check=True)
        owner = at.update_query_dict({"options": "-crole=relex_owner"}).render_as_string(hide_password=False)
        roles = {Part.WORKER: "relex_worker", Part.CLIENT: "relex_client"}
        _, revision = upgrade(Settings(owner, home=tmp_path / "store"), roles)
        assert revision == latest_revision()
        with psycopg.connect(at.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            assert connection.execute(ROLES).fetchall() == [
                (name, True, False) for name in sorted([*roles.values(), "relex_owner"])
            ]
            assert connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall() == [("relex_owner",)]
            for name in roles.values():
                privileges = connection.execute(PRIVILEGES, {"role": name}).fetchone()
                assert privileges == (True, False, False, False)
