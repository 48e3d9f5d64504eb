# The code of the page about SQLAlchemy and Alembic.

from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, text

from env import include_name
from finish import finish_connect


def changes(**options):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return [change[1].schema for change in compare_metadata(context, MetaData()) if change[0] == "remove_table"]


engine = create_engine("postgresql+psycopg2://garage_app@/garage")
with engine.begin() as connection:
    link = connection.execute(text("SELECT smartcar_begin_connect(external_id => 'ada')")).scalar()
url = urlsplit(link)
browser = HTTPConnection(url.netloc)
browser.request("POST", f"{url.path}?{url.query}", urlencode({"owner": "ada", "tesla_permission": "all"}),
                {"Content-Type": "application/x-www-form-urlencoded"})
row = finish_connect(engine, browser.getresponse().headers["Location"], "ada")
assert row["status"] == "finished", row
assert len(row["vehicle_ids"]) == 1, row

assert changes() == [], "autogenerate sees tables of the extension"
assert "smartcar_tesla" in changes(include_schemas=True), "include_name is not needed any more"
assert changes(include_schemas=True, include_name=include_name) == [], "include_name leaves out too little"
