-- A page of an instance's journal. No lock.
select
    j.seq,
    j.at as "at: jiff_sqlx::Timestamp",
    j.entries
from journal j
where j.bucket = $1
    and j.instance_id = $2
    and j.seq > $3
order by j.seq
limit $4
