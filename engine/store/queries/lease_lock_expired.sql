-- Names and locks the other nodes whose lease has run out. In order, so that two nodes that take over at
-- once do not deadlock. Their renewals wait until this transaction is over.
select n.id
from node n
where n.lease_until < $1
    and n.id <> $2
order by n.id
for update
