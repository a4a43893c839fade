#!/bin/sh
# Writes the offline metadata of the checked queries (.sqlx) again. It starts a PostgreSQL of its own by
# hand, since no program of this workspace builds while the metadata lacks a query.
set -eu
cd "$(dirname "$0")/../.."
cargo=${CARGO:-cargo}
export SQLX_OFFLINE=false

if [ -z "${DATABASE_URL:-}" ]; then
    bin=
    for initdb in "${TENURE_PG_BIN:-}/initdb" "$(pg_config --bindir 2>/dev/null || true)/initdb" \
        "$(command -v initdb || true)" /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
        /usr/local/pgsql/bin/initdb /opt/homebrew/opt/postgresql@*/bin/initdb; do
        if [ -x "$initdb" ]; then bin=$(dirname "$initdb"); fi
    done
    if [ -z "$bin" ]; then
        echo "prepare.sh: no PostgreSQL server programs: run make setup, or set DATABASE_URL" >&2
        exit 1
    fi
    data=$(mktemp -d)
    # PostgreSQL refuses to run as root.
    as=
    if [ "$(id -u)" = 0 ]; then
        account=nobody
        if id postgres >/dev/null 2>&1; then account=postgres; fi
        chown "$account" "$data"
        as="runuser -u $account --"
    fi
    cd "$data"
    stop() {
        $as "$bin/pg_ctl" -D "$data/cluster" -m immediate -w stop >/dev/null 2>&1 || true
        cd / && rm -rf "$data"
    }
    trap stop EXIT
    $as "$bin/initdb" -D "$data/cluster" -U tenure -A trust -E UTF8 --no-sync >/dev/null
    # No port is opened: the socket is in the private folder.
    $as "$bin/pg_ctl" -D "$data/cluster" -w -l "$data/log" \
        -o "-c listen_addresses= -c fsync=off -k $data" start >/dev/null
    cd "$OLDPWD"
    encoded=$(printf %s "$data" | sed 's:/:%2F:g')
    export DATABASE_URL="postgres://tenure@$encoded/postgres"
    chmod 755 "$data"
fi

$cargo sqlx migrate run --source migrations
# The only crate with checked queries.
$cargo sqlx prepare --workspace -- --package tenure-store --all-targets
