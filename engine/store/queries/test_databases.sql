-- Test kit: the databases of a server. No lock.
select d.datname as "datname!"
from pg_database d
