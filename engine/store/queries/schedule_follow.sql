-- Notes that the end of an instance is to be followed by another one. Before the start of that instance.
insert into schedule_after (namespace, definition, instance_id, bucket, at)
values ($1, $2, $3, $4, $5)
on conflict do nothing
