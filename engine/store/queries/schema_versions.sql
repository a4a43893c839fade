-- The migrations this database has had. No lock.
select m.version
from _sqlx_migrations m
where m.success
order by m.version
