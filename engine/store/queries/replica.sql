-- Whether the connected server is a replica. No lock.
select pg_is_in_recovery() as "replica!"
