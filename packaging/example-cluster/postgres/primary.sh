#!/bin/sh
# Makes a PostgreSQL server the primary of the example: the node's role and database, the role of the replica, and
# synchronous commits. The container image runs it once; by hand, run it as the server's superuser and restart the
# server. Wants COUNTERSIGN_PASSWORD and REPLICATION_PASSWORD.
set -eu

psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname=postgres \
    --set=countersign_password="$COUNTERSIGN_PASSWORD" --set=replication_password="$REPLICATION_PASSWORD" <<'SQL'
set password_encryption = 'scram-sha-256';
create role countersign login password :'countersign_password';
create role replicator login replication password :'replication_password';
create database countersign owner countersign encoding 'UTF8' template template0;
-- A commit returns when the replica has it on disk too. In force after the restart: before, there is no replica yet.
alter system set synchronous_standby_names = 'ANY 1 (replica)';
alter system set synchronous_commit = 'on';
alter system set wal_keep_size = '1GB';
SQL

hba="$(psql --no-psqlrc --tuples-only --no-align --dbname=postgres --command='show hba_file')"
cat >> "$hba" <<'HBA'
host replication replicator  all scram-sha-256
host countersign countersign all scram-sha-256
HBA
