-- Removes the heartbeats of nodes that were taken over; their fences stay and keep counting.
delete from node
where id = any($1::uuid[])
