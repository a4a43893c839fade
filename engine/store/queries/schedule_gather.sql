-- Keeps an event that starts an instance together with others, once.
insert into schedule_event (namespace, definition, event_id, body, used, received_at)
values ($1, $2, $3, $4, false, $5)
on conflict do nothing
