-- Waits that committed but have not looked for kept events: a crash in between. No lock.
select w.instance_id, w.wait
from wait w
where not w.matched
    and w.bucket = any($1::int[])
limit $2
