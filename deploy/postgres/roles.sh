#!/bin/sh
# Makes the two logins and the database of docs/POSTGRES.md ("With least privilege"), once, as an administrator. Postgres'
# official image runs it when it makes its data directory; elsewhere: `PGHOST=.. PGUSER=.. deploy/postgres/roles.sh`.
# OWNER_PASSWORD is the password of bailiwick_owner, who migrates, SERVER_PASSWORD that of bailiwick_server, who serves.
set -eu
: "${OWNER_PASSWORD:?}" "${SERVER_PASSWORD:?}"
PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}} PGDATABASE=${PGDATABASE:-postgres}
export PGUSER PGDATABASE
# psql quotes what it puts in for :'..'; the passwords reach it by the environment, which only this user can read.
psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv server_password SERVER_PASSWORD
CREATE ROLE bailiwick_app NOLOGIN;
CREATE ROLE bailiwick_spanning NOLOGIN;
CREATE ROLE bailiwick_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE bailiwick_server LOGIN NOINHERIT PASSWORD :'server_password';
GRANT bailiwick_app, bailiwick_spanning TO bailiwick_owner, bailiwick_server;
CREATE DATABASE bailiwick OWNER bailiwick_owner;
REVOKE CONNECT ON DATABASE bailiwick FROM PUBLIC;
GRANT CONNECT ON DATABASE bailiwick TO bailiwick_server;
SQL
