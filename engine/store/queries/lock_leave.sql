-- Takes an instance out of the line, or lets its lock go. No lock.
delete from lock_line l
where l.bucket = $1
    and l.name = $2
    and l.instance_id = $3
    and l.lock = $4
