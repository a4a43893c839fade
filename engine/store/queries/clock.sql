-- One reading of the database clock, moved by the sandbox's offset. No lock.
select
    now() + c.offset_ms * interval '1 millisecond' as "now!: jiff_sqlx::Timestamp"
from sandbox_clock c
where c.id = 1
