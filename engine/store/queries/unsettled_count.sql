-- How many effects nobody has settled, by what is known of them. No lock.
select
    e.phase,
    count(*) as "count!"
from unsettled_effect e
group by e.phase
order by e.phase
