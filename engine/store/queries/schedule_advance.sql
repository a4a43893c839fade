-- Remembers what became of a firing. The watermark never goes back: a writer who lost its bucket
-- meanwhile changes nothing.
insert into schedule_state as s (
    namespace, definition, handled, instance_id, buffered_at, buffered_way
)
values ($1, $2, $3, $4, $5, $6)
on conflict (namespace, definition) do update
set handled = excluded.handled,
    instance_id = excluded.instance_id,
    buffered_at = excluded.buffered_at,
    buffered_way = excluded.buffered_way
where s.handled <= excluded.handled
