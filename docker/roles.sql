-- Run once by the image of Postgres, as its superuser, in the new database: the three roles of relex. What the second
-- and third may do in the tables is granted by `relex db upgrade --worker relex_worker --client relex_client`.
\getenv owner RELEX_OWNER_PASSWORD
\getenv worker RELEX_WORKER_PASSWORD
\getenv client RELEX_CLIENT_PASSWORD

CREATE ROLE relex_owner LOGIN PASSWORD :'owner';
CREATE ROLE relex_worker LOGIN PASSWORD :'worker';
CREATE ROLE relex_client LOGIN PASSWORD :'client';

ALTER DATABASE :"DBNAME" OWNER TO relex_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO relex_worker, relex_client;
