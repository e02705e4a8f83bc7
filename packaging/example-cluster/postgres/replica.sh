#!/bin/sh
# Copies the primary unless that was done, and runs as its replica. Wants PGDATA, PRIMARY (host name of the primary)
# and REPLICATION_PASSWORD; run it as the user that the server shall run as. Arguments go to the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    until pg_basebackup --pgdata="$PGDATA" --wal-method=stream --checkpoint=fast --write-recovery-conf \
        --dbname="host=$PRIMARY port=${PRIMARY_PORT:-5432} user=replicator password=$REPLICATION_PASSWORD application_name=replica"
    do
        echo "The primary is not ready; trying again." >&2
        sleep 2
    done
    chmod 0700 "$PGDATA"
fi

# The copy holds the primary's settings. Once promoted, this server must not wait for a replica that isn't there.
exec postgres -c synchronous_standby_names= "$@"
