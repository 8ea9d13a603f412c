#!/bin/sh
# Run once by the postgres image on an empty volume: one database per service, and two roles for
# each. The owner changes the schema (migrate); the app role reads and writes rows (api, worker)
# and can do neither in another service's database.
set -eu

for service in intake hotline evaluation scoring publishing; do
  upper=$(echo "$service" | tr '[:lower:]' '[:upper:]')
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
    --username "$POSTGRES_USER" --dbname postgres \
    --set service="$service" \
    --set owner="${service}_owner" --set owner_password="$(printenv "${upper}_OWNER_PASSWORD")" \
    --set app="${service}_app" --set app_password="$(printenv "${upper}_APP_PASSWORD")" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN PASSWORD :'app_password';
CREATE DATABASE :"service" OWNER :"owner" TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"app";
\connect :"service"
GRANT USAGE ON SCHEMA public TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO :"app";
SQL
done
